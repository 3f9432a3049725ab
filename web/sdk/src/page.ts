/** Pages of history as they are now. Loaded with the first of them. */

import { type Page, type Reader, readEntry } from './history.ts';
import type { Edited, Entry, HistoryPage, Message, User } from './model.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A page with the messages as they are now. */
export function readPage(reader: Reader, page: Page): HistoryPage {
  const entries = page.entries.map((raw) => readEntry(reader, raw));
  const related = page.related.map((raw) => readEntry(reader, raw));
  const messages = new Map<number, Mutable<Message>>();
  for (const entry of entries) if (entry.type === 'message') messages.set(entry.seq, entry);
  const quoted: Message[] = [];
  for (const entry of related) {
    if (entry.type !== 'message' || messages.has(entry.seq)) continue;
    quoted.push(entry);
    messages.set(entry.seq, entry);
  }
  for (const entry of related.sort((a, b) => a.seq - b.seq)) apply(entry, messages);
  const { atStart, atEnd, lastSeq, fromCache } = page;
  return { entries, quoted, atStart, atEnd, lastSeq, reactionsCut: page.relatedCut, fromCache };
}

/** Lets a related entry do to its message what it did. */
function apply(entry: Entry, messages: ReadonlyMap<number, Mutable<Message>>): void {
  if (!('target' in entry)) return;
  const message = messages.get(entry.target);
  if (!message) return;
  switch (entry.type) {
    case 'edit':
      if (message.deleted) break;
      message.text = entry.text;
      message.mentions = entry.mentions;
      message.edited = { seq: entry.seq, timeMs: entry.timeMs } satisfies Edited;
      break;
    case 'deletion':
      Object.assign(message, { text: '', mentions: [], reactions: [], deleted: true });
      message.edited = undefined;
      break;
    case 'reaction':
      if (!message.deleted) {
        message.reactions = react(message.reactions, entry.emoji, entry.sender, entry.removed);
      }
      break;
    case 'pin':
      message.pinned = !entry.removed;
  }
}

/** The reactions after somebody reacted, or took it back. */
export function react(
  groups: Message['reactions'],
  emoji: string,
  user: User,
  removed: boolean,
): Message['reactions'] {
  const group = groups.find((it) => it.emoji === emoji);
  const others = group?.users.filter((it) => it.id !== user.id) ?? [];
  if (!removed && group && others.length < group.users.length) return groups;
  if (!group) return removed ? groups : [...groups, { emoji, users: [user] }];
  const users = removed ? others : [...others, user];
  return groups
    .map((it) => (it === group ? { emoji, users } : it))
    .filter((it) => it.users.length > 0);
}
