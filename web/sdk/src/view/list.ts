/**
 * The conversation list: order, badges, previews, who writes.
 *
 * From the cache at once, then from the server, then by events. Only lines that
 * changed are worked out again, and keep their object while they say the same.
 */

import type { ClientApi, Conversation, Event, OutboxItem, User } from '../types.ts';
import { equal } from './equal.ts';
import { type Schedule, Snapshot, Timer } from './observable.ts';
import { type LastEntry, Previews } from './previews.ts';
import type {
  ConversationListSnapshot,
  ConversationListView,
  ConversationRow,
  Preview,
  Progress,
  Readable,
} from './types.ts';
import { TypingMap } from './typing.ts';

export interface ListOptions {
  readonly schedule?: Schedule | undefined;
  /** The clock, for mutes that end and messages that expire. */
  readonly now?: (() => number) | undefined;
}

/** Follows the conversation list. */
export function conversationList(
  client: ClientApi,
  options: ListOptions = {},
): ConversationListView {
  const list = new List(client, options);
  list.start();
  return list;
}

/** A preview is one line, at most so long. */
const PREVIEW_CHARS = 160;
/** Sends that are remembered to be done, at most. */
const DONE = 1_024;

class List implements ConversationListView {
  readonly #client: ClientApi;
  readonly #now: () => number;
  readonly #schedule: Schedule | undefined;
  readonly #snapshot: Snapshot<ConversationListSnapshot>;
  readonly #one = new Map<string, Snapshot<ConversationRow | undefined>>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #rows = new Map<string, ConversationRow>();
  readonly #dirty = new Set<string>();
  readonly #outbox = new Map<number, OutboxItem>();
  /** Sends that are done, by their names on the wire. */
  readonly #done = new Set<string>();
  readonly #typing = new TypingMap();
  readonly #previews: Previews;
  #loaded = false;
  #off: () => void = () => {};
  readonly #timer = new Timer();
  #last: ConversationListSnapshot | undefined;

  constructor(client: ClientApi, options: ListOptions) {
    this.#client = client;
    this.#now = options.now ?? Date.now;
    this.#schedule = options.schedule;
    this.#snapshot = new Snapshot(() => this.#make(), options.schedule);
    this.#previews = new Previews(client, this.#now, (id) => this.#touch(id));
  }

  get(): ConversationListSnapshot {
    return this.#snapshot.get();
  }

  subscribe(run: (value: ConversationListSnapshot) => void): () => void {
    return this.#snapshot.subscribe(run);
  }

  row(conversation: string): Readable<ConversationRow | undefined> {
    const found = this.#one.get(conversation);
    if (found) return found;
    const make = (): ConversationRow | undefined => {
      this.get();
      return this.#rows.get(conversation);
    };
    const one = new Snapshot(make, this.#schedule);
    this.#one.set(conversation, one);
    return one;
  }

  start(): void {
    this.#off = this.#client.on((event) => this.#handle(event));
    void this.#load();
  }

  close(): void {
    this.#off();
    this.#previews.close();
    this.#timer.stop();
  }

  async #load(): Promise<void> {
    try {
      const [known, outbox] = await Promise.all([
        this.#client.conversations({ cached: true }),
        this.#client.outbox(),
      ]);
      for (const item of outbox) this.#handleOutbox(item);
      this.#take(known);
      if (known.length > 0) this.#loaded = true;
      this.#previews.want(known, 'cache');
      this.#invalidate();
    } catch {
      // The server's answer is still to come.
    }
    await this.#ask();
  }

  async #ask(): Promise<void> {
    try {
      const lines = await this.#client.conversations();
      this.#take(lines);
      this.#loaded = true;
      this.#previews.want(lines, 'server');
      this.#invalidate();
    } catch {
      // Offline: asked again when the connection is back.
    }
  }

  #handle(event: Event): void {
    switch (event.type) {
      case 'conversation':
        this.#take([event.conversation]);
        break;
      case 'entry':
        this.#previews.handleEntry(event.entry);
        break;
      case 'reset':
        this.#reset(event.conversation);
        break;
      case 'cleared':
        this.#previews.handleCleared(event.conversation, event.upTo);
        break;
      case 'hidden':
        this.#previews.handleHidden(event.conversation, event.seqs);
        break;
      case 'typing':
        this.#typing.handle(event.typing);
        this.#touch(event.typing.conversation);
        break;
      case 'outbox':
        this.#handleOutbox(event.item);
        break;
      case 'outboxDone': {
        const item = this.#outbox.get(event.localId);
        this.#outbox.delete(event.localId);
        this.#done.add(event.clientMessageId);
        for (const oldest of this.#done) {
          if (this.#done.size <= DONE) break;
          this.#done.delete(oldest);
        }
        if (item) this.#touch(this.#placeOf(item));
        break;
      }
      case 'state':
        if (event.state.type !== 'ready') {
          for (const id of this.#typing.clear()) this.#touch(id);
          break;
        }
        this.#previews.handleReady();
        void this.#ask();
        break;
      default:
        break;
    }
  }

  /** The server has another store: what came from it comes anew, if it is there. */
  #reset(conversation: string | undefined): void {
    const gone = conversation === undefined ? [...this.#conversations.keys()] : [conversation];
    for (const id of gone) {
      this.#conversations.delete(id);
      this.#rows.delete(id);
      this.#previews.forget(id);
    }
    this.#invalidate();
    void this.#ask();
  }

  #take(lines: readonly Conversation[]): void {
    for (const line of lines) {
      this.#conversations.set(line.id, line);
      this.#touch(line.id);
    }
  }

  #handleOutbox(item: OutboxItem): void {
    // A list of the outbox that was made before it was done.
    if (this.#done.has(item.clientMessageId)) return;
    this.#outbox.set(item.localId, item);
    this.#touch(this.#placeOf(item));
  }

  /** The conversation a send goes to, as far as known. */
  #placeOf(item: OutboxItem): string | undefined {
    const { to, conversation } = item;
    if (conversation) return conversation;
    if (to.type === 'conversation') return to.conversation;
    if (to.type !== 'user') return undefined;
    for (const line of this.#conversations.values()) {
      if (line.kind === 'direct' && line.peer?.id === to.user) return line.id;
    }
    return undefined;
  }

  #touch(id: string | undefined): void {
    if (id === undefined) return;
    this.#dirty.add(id);
    this.#invalidate();
  }

  #invalidate(): void {
    this.#snapshot.invalidate();
    for (const one of this.#one.values()) one.invalidate();
  }

  #make(): ConversationListSnapshot {
    this.#previews.expire();
    const waiting = this.#waiting();
    for (const id of this.#dirty) {
      const line = this.#conversations.get(id);
      if (!line) continue;
      const row = this.#row(line, waiting.get(id) ?? []);
      if (!equal(this.#rows.get(id), row)) this.#rows.set(id, row);
    }
    this.#dirty.clear();
    const rows = [...this.#rows.values()].filter((row) => !isDeleted(row)).sort(before);
    const shown = rows.filter((row) => !row.request && !row.archived);
    const loud = shown.filter((row) => !row.muted && row.conversation.preferences.level !== 'none');
    const unread = (row: ConversationRow): number => row.unread || Number(row.markedUnread);
    const sum = (of: (row: ConversationRow) => number): number =>
      loud.reduce((all, row) => all + of(row), 0);
    const made = {
      loaded: this.#loaded,
      active: shown,
      // A request that was put away is no longer asked about.
      archived: rows.filter((row) => row.archived),
      requests: rows.filter((row) => row.request && !row.archived),
      unread: sum(unread),
      mentions: shown.reduce((all, row) => all + row.mentions, 0),
    };
    this.#wake(rows);
    // The same lines in the same order are the same list.
    const old = this.#last;
    const keep = <K extends 'active' | 'archived' | 'requests'>(
      name: K,
    ): readonly ConversationRow[] => (old && same(old[name], made[name]) ? old[name] : made[name]);
    const lists = {
      active: keep('active'),
      archived: keep('archived'),
      requests: keep('requests'),
    };
    this.#last = { ...made, ...lists };
    return this.#last;
  }

  #waiting(): Map<string, OutboxItem[]> {
    const waiting = new Map<string, OutboxItem[]>();
    for (const item of this.#outbox.values()) {
      const id = this.#placeOf(item);
      if (id) waiting.set(id, [...(waiting.get(id) ?? []), item]);
    }
    return waiting;
  }

  #row(line: Conversation, waiting: readonly OutboxItem[]): ConversationRow {
    const { preferences } = line;
    const texts = waiting.filter((item) => item.action.type === 'text');
    const newest = texts.at(-1);
    const last = lastPreview(this.#previews.get(line.id), line);
    const preview = newest ? pendingPreview(newest, this.#client.me) : last;
    // What is done to older messages doesn't move the line.
    const said = this.#previews.isKnown(line) ? last?.timeMs : undefined;
    return {
      id: line.id,
      kind: line.kind,
      conversation: line,
      peer: line.peer,
      title: line.info.title,
      picture: line.info.picture,
      unread: line.unread,
      mentions: line.mentions,
      markedUnread: preferences.markedUnread,
      muted: preferences.mutedUntilMs > this.#now(),
      pinned: preferences.pinned,
      archived: preferences.archived,
      request: line.request,
      former: line.former,
      draft: preferences.draft,
      preview,
      timeMs: Math.max(said ?? line.lastTimeMs, newest?.queuedMs ?? 0),
      typing: this.#typing.in(line.id),
      pending: waiting.filter((item) => item.status !== 'failed').length,
      // Anything else that was refused leaves nothing to look at.
      failed: texts.filter((item) => item.status === 'failed').length,
      cleared: preferences.clearedUpTo > 0 && this.#saysNothing(line),
    };
  }

  /** Whether nothing was said since the user cleared it; reactions to what is gone say nothing. */
  #saysNothing(line: Conversation): boolean {
    if (line.lastSeq <= line.preferences.clearedUpTo) return true;
    return this.#previews.isKnown(line) && !this.#previews.get(line.id);
  }

  /** Looks again when the first mute ends, or message expires. */
  #wake(rows: readonly ConversationRow[]): void {
    const muted = rows.filter((row) => row.muted);
    const ends = Math.min(...muted.map((row) => row.conversation.preferences.mutedUntilMs));
    this.#timer.start(Math.min(ends, this.#previews.expiresMs()) - this.#now(), () => {
      for (const row of muted) this.#touch(row.id);
      this.#previews.expire();
    });
  }
}

/**
 * Whether the user is done with it: it is in no list until something is said in it. A
 * group is, once they left it: what they are in stays where they find it.
 */
function isDeleted(row: ConversationRow): boolean {
  if (!row.cleared || (row.kind === 'group' && !row.former)) return false;
  return !row.pinned && !row.markedUnread && row.draft === '' && row.pending + row.failed === 0;
}

function before(a: ConversationRow, b: ConversationRow): number {
  if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
  if (a.timeMs !== b.timeMs) return b.timeMs - a.timeMs;
  return a.id < b.id ? -1 : 1;
}

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** One line of a text, cut between characters. */
function cut(text: string): string {
  const line = text
    .slice(0, PREVIEW_CHARS * 4)
    .replace(/\s+/gu, ' ')
    .trim();
  return line.length <= PREVIEW_CHARS ? line : `${[...line].slice(0, PREVIEW_CHARS).join('')}…`;
}

function pendingPreview(item: OutboxItem, me: User | undefined): Preview {
  const text = item.action.type === 'text' ? item.action.text : '';
  const sender = me ?? { id: '', name: '' };
  const progress: Progress = item.status;
  const what = 'message' as const;
  return { seq: 0, timeMs: item.queuedMs, sender, own: true, text: cut(text), what, progress };
}

function lastPreview(last: LastEntry | undefined, line: Conversation): Preview | undefined {
  if (!last) return undefined;
  if (last.type === 'message') {
    const { seq, timeMs, sender, own, text, deleted } = last.message;
    // Of a group only the furthest reader is known here: that is somebody, not all.
    const read = seq <= line.peerRead && line.kind === 'direct';
    const reached = read
      ? 'read'
      : seq <= Math.max(line.peerRead, line.peerDelivered)
        ? 'delivered'
        : 'sent';
    const what = deleted ? ('deleted' as const) : ('message' as const);
    return { seq, timeMs, sender, own, text: cut(text), what, progress: own ? reached : undefined };
  }
  const { seq, timeMs, sender, own } = last.entry;
  return { seq, timeMs, sender, own, text: '', what: last.type, event: last.event };
}
