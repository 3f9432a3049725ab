/** Pages of history as they are now. Loaded with the first of them. */

import { U64_MAX } from './codec.ts';
import { nameless } from './convert.ts';
import { sameEmoji } from './emoji.ts';
import { type Asker, usersById } from './errands.ts';
import type * as wire from './gen/wire.ts';
import { type Page, people, type Reader, rawEntries, readEntry } from './history.ts';
import { uuidBytes } from './ids.ts';
import type { Call } from './machine/calls.ts';
import type { Machine } from './machine/machine.ts';
import type { Edited, Entry, HistoryPage, Message, Range, User } from './model.ts';
import type { Store } from './store.ts';
import type { HistoryOptions } from './types.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Most entries that are read from a cache at once, where the caller names no number. */
const CACHED = 200;

/** How long a message may be on its way. */
const SLACK_MS = 5_000;

const NO_PAGE: Page = {
  entries: [],
  related: [],
  atStart: false,
  atEnd: false,
  lastSeq: 0,
  relatedCut: false,
  fromCache: true,
};

/** A part of a conversation, from the server or from `store`. */
export async function history(
  asker: Asker,
  store: Store | undefined,
  conversation: string,
  range: Range,
  { limit = 0, cache }: HistoryOptions,
): Promise<HistoryPage> {
  const onlyCached = cache === 'only';
  let page: Page | undefined;
  if (onlyCached || (!asker.machine.isReady && cache !== 'never')) {
    page = await cached(asker, store, conversation, range, limit);
  }
  if (!page && onlyCached) page = NO_PAGE;
  page ??= pageOf(await asker.call<wire.Fetched>(fetchOf(conversation, range, limit)));
  return nameAndRead(asker, conversation, page, onlyCached);
}

function pageOf({ atStart, atEnd, lastSeq, relatedCut, ...fetched }: wire.Fetched): Page {
  const [entries, related] = [rawEntries(fetched.entries), rawEntries(fetched.related)];
  return { entries, related, atStart, atEnd, lastSeq, relatedCut, fromCache: false };
}

function fetchOf(conversation: string, range: Range, limit: number): Call {
  const dense = !['mentionsBefore', 'pinned', 'editsOf'].includes(range.type);
  const fetch = { conversation: uuidBytes(conversation), from: fromOf(range), limit };
  return { type: 'fetch', fetch, dense };
}

function fromOf(range: Range): wire.Fetch['from'] {
  switch (range.type) {
    case 'after':
      return { case: 'afterSeq', value: range.seq };
    case 'before':
      return { case: 'beforeSeq', value: range.seq };
    case 'around':
      return { case: 'aroundSeq', value: range.seq };
    case 'latest':
      return { case: 'beforeSeq', value: U64_MAX };
    case 'aroundTime':
      return { case: 'aroundTimeMs', value: range.timeMs };
    case 'mentionsBefore':
      return { case: 'mentionsBefore', value: range.seq };
    case 'pinned':
      return { case: 'pinned', value: true };
    case 'editsOf':
      return { case: 'editsOf', value: range.seq };
  }
}

async function cached(
  { machine }: Asker,
  store: Store | undefined,
  conversation: string,
  range: Range,
  limit: number,
): Promise<Page | undefined> {
  const stored = await store?.cached(conversation, range, limit || CACHED);
  if (!stored) return undefined;
  const entries = rawEntries(stored.entries.map((entry) => entry.bytes));
  const related = rawEntries(stored.related.map((entry) => entry.bytes));
  const lastSeq = machine.lastSeq(conversation);
  const { atStart, atEnd } = stored;
  return { ...NO_PAGE, entries, related, atStart, atEnd, lastSeq };
}

async function nameAndRead(
  asker: Asker,
  conversation: string,
  page: Page,
  onlyKnown: boolean,
): Promise<HistoryPage> {
  const { machine } = asker;
  const member = (id: string) => machine.named(conversation, id);
  const ids = [...new Set([...page.entries, ...page.related].flatMap(people))];
  const unnamed = ids.filter((id) => !member(id));
  const users = await usersById(asker, unnamed, onlyKnown || !machine.isReady);
  const name = (id: string) => member(id) ?? users.get(id) ?? nameless(id);
  // Known once the whole page is read: it may say what counts.
  const expiresMs = () => undefined;
  const read = readPage({ conversation, me: machine.user?.id, name, expiresMs }, page);
  for (const entry of read.entries) machine.conversation(conversation)?.noteExpiry(entry);
  const nowMs = asker.wallMs();
  for (const entry of [...read.entries, ...read.quoted]) {
    if (entry.type === 'message') expire(machine, entry, page.fromCache, nowMs);
  }
  return read;
}

/** Says when a message expires, and takes its text away when it did. */
function expire(
  machine: Machine,
  message: Mutable<Message>,
  fromCache: boolean,
  nowMs: number,
): void {
  const { conversation, seq, sender, timeMs } = message;
  const place = { seq, sender: sender.id, timeMs };
  const atMs = machine.conversation(conversation)?.expiry.expiresMs(place, machine.skewMs);
  if (atMs === undefined) return;
  // A cache may have kept it. What the server gives is there, whatever is known here.
  const isGiven = !fromCache && !message.deleted;
  if (isGiven && atMs + SLACK_MS <= nowMs) return;
  message.expiresMs = atMs;
  if (fromCache && atMs <= nowMs) blank(message);
}

/** A page with the messages as they are now. */
function readPage(reader: Reader, page: Page): HistoryPage {
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
      message.edited = {
        seq: entry.seq,
        timeMs: entry.timeMs,
        first: message.edited?.first ?? message.text,
      } satisfies Edited;
      message.text = entry.text;
      message.mentions = entry.mentions;
      break;
    case 'deletion':
      blank(message);
      break;
    case 'reaction':
      if (!message.deleted) {
        message.reactions = react(message.reactions, entry.emoji, entry.sender, entry.removed);
      }
      break;
    case 'pin':
      message.pinned = !entry.removed && !message.deleted;
  }
}

/** Takes away what a message said. */
function blank(message: Mutable<Message>): void {
  Object.assign(message, { text: '', mentions: [], pinned: false, reactions: [], deleted: true });
  message.edited = undefined;
}

/** The reactions after somebody reacted, or took it back. */
export function react(
  groups: Message['reactions'],
  emoji: string,
  user: User,
  removed: boolean,
): Message['reactions'] {
  const group = groups.find((it) => sameEmoji(it.emoji, emoji));
  const others = group?.users.filter((it) => it.id !== user.id) ?? [];
  if (!removed && group && others.length < group.users.length) return groups;
  if (!group) return removed ? groups : [...groups, { emoji, users: [user] }];
  const users = removed ? others : [...others, user];
  return groups
    .map((it) => (it === group ? { ...group, users } : it))
    .filter((it) => it.users.length > 0);
}
