/**
 * The last thing said in each conversation, for the list.
 *
 * The feed doesn't say it: it is read from the log, first of the conversations
 * on top, a few at a time, and carried on by what is pushed.
 */

import type { ClientApi, Conversation, Entry, Message, Range } from '../types.ts';
import { fold, isExpired } from './fold.ts';
import { isRelation } from './items.ts';
import type { SystemEvent } from './types.ts';

/** The last entry worth showing. */
export type LastEntry =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'system' | 'unknown'; readonly entry: Entry; readonly event?: SystemEvent };

/** Conversations whose last entry is read before anybody scrolls. */
const AHEAD = 60;
/** Reads on their way at once. */
const READS = 3;
/** Entries read of each, one page after the other: the last ones may be nothing to show. */
const PAGES = [20, 100, 200, 200];

export class Previews {
  readonly #client: ClientApi;
  readonly #now: () => number;
  readonly #changed: (conversation: string) => void;
  readonly #last = new Map<string, LastEntry>();
  /** Up to which seq each is known. */
  readonly #known = new Map<string, number>();
  readonly #asked = new Set<string>();
  readonly #queue = new Map<string, 'cache' | 'server'>();
  #reading = 0;
  #closed = false;

  constructor(client: ClientApi, now: () => number, changed: (conversation: string) => void) {
    this.#client = client;
    this.#now = now;
    this.#changed = changed;
  }

  get(conversation: string): LastEntry | undefined {
    return this.#last.get(conversation);
  }

  /** Whether it is known what was said last. */
  isKnown({ id, lastSeq }: Conversation): boolean {
    return (this.#known.get(id) ?? 0) >= lastSeq;
  }

  /** Lets go of what is too old by now, and looks for what is not. */
  expire(): void {
    for (const [id, last] of this.#last) {
      if (last.type !== 'message' || !isExpired(last.message, this.#now())) continue;
      this.#last.delete(id);
      this.#asked.delete(id);
      this.wantOne(id, 'server');
      this.#changed(id);
    }
  }

  /** When the next one is too old. */
  expiresMs(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const last of this.#last.values()) {
      if (last.type === 'message') at = Math.min(at, last.message.expiresMs ?? at);
    }
    return at;
  }

  close(): void {
    this.#closed = true;
    this.#queue.clear();
  }

  /** Reads what is missing of the first of these. */
  want(conversations: readonly Conversation[], from: 'cache' | 'server'): void {
    for (const { id, lastSeq } of conversations.slice(0, AHEAD)) {
      if (lastSeq > 0 && (this.#known.get(id) ?? 0) < lastSeq) this.wantOne(id, from);
    }
  }

  wantOne(id: string, from: 'cache' | 'server'): void {
    if (this.#asked.has(id) && from === 'server') return;
    if (from === 'server') this.#asked.add(id);
    this.#queue.set(id, from);
    this.#next();
  }

  /** The connection is back: what was missed may be asked for again. */
  handleReady(): void {
    this.#asked.clear();
  }

  handleEntry(entry: Entry): void {
    const { conversation: id, seq } = entry;
    const known = this.#known.get(id) ?? 0;
    if (seq <= known) return;
    // What lies between stays unknown; it is older than this.
    this.#known.set(id, seq);
    this.#take(id, entry);
    this.#changed(id);
  }

  handleCleared(id: string, upTo: number): void {
    const last = this.#last.get(id);
    const seq = last?.type === 'message' ? last.message.seq : last?.entry.seq;
    if (seq === undefined || seq > upTo) return;
    this.#last.delete(id);
    this.#changed(id);
  }

  /** What was known of it is of another store. */
  forget(id: string): void {
    this.#last.delete(id);
    this.#known.delete(id);
    this.#asked.delete(id);
  }

  handleHidden(id: string, seqs: readonly number[]): void {
    const last = this.#last.get(id);
    if (last?.type !== 'message' || !seqs.includes(last.message.seq)) return;
    this.#last.delete(id);
    this.#known.delete(id);
    this.#asked.delete(id);
    this.wantOne(id, 'server');
    this.#changed(id);
  }

  #take(id: string, entry: Entry): void {
    const last = this.#last.get(id);
    if (entry.type === 'message') {
      this.#last.set(id, { type: 'message', message: entry });
    } else if (entry.type === 'change') {
      this.#last.set(id, { type: 'system', entry, event: entry.what });
    } else if (entry.type === 'unknown') this.#last.set(id, { type: 'unknown', entry });
    else if (isRelation(entry) && last?.type === 'message' && last.message.seq === entry.target) {
      this.#last.set(id, { type: 'message', message: fold(last.message, [entry]) });
    }
  }

  #next(): void {
    for (const [id, from] of this.#queue) {
      if (this.#reading >= READS || this.#closed) return;
      this.#queue.delete(id);
      this.#reading += 1;
      void this.#read(id, from);
    }
  }

  async #read(id: string, from: 'cache' | 'server'): Promise<void> {
    try {
      await this.#look(id, from === 'cache' ? 'only' : undefined);
    } catch {
      // The line goes without; it is asked for again after a reconnect.
      this.#asked.delete(id);
    } finally {
      this.#reading -= 1;
      this.#next();
    }
  }

  /** Looks back until there is something to show, but not for ever. */
  async #look(id: string, cache: 'only' | undefined): Promise<void> {
    let range: Range = { type: 'latest' };
    let newest = 0;
    let hidden: Set<number> | undefined;
    for (const limit of PAGES) {
      const page = await this.#client.history(id, range, { limit, cache });
      newest ||= page.entries.at(-1)?.seq ?? 0;
      if (this.#closed || newest === 0 || newest < (this.#known.get(id) ?? 0)) return;
      const shown = page.entries.filter((entry) => isShown(entry, this.#now()));
      // Hidden ones look like deleted ones.
      if (shown.some((entry) => entry.type === 'message' && entry.deleted)) {
        hidden ??= new Set(await this.#client.hidden(id).catch(() => []));
      }
      const last = shown.findLast(({ seq }) => !hidden?.has(seq));
      const first = page.entries[0]?.seq ?? 0;
      if (!last && first > 1 && !page.atStart) {
        range = { type: 'before', seq: first };
        continue;
      }
      if (newest < (this.#known.get(id) ?? 0)) return;
      // The cache may begin after the last thing that was said: the server knows more.
      if (!last && cache === 'only' && !page.atStart) return;
      this.#known.set(id, newest);
      this.#last.delete(id);
      // Messages of a page are as they are now: its relations are in them already.
      if (last) this.#take(id, last);
      this.#changed(id);
      return;
    }
  }
}

/** Whether an entry is something to show. */
const isShown = (entry: Entry, nowMs: number): boolean =>
  entry.type === 'message'
    ? !isExpired(entry, nowMs)
    : entry.type === 'change' || entry.type === 'unknown';
