/**
 * The last thing said in each conversation, for the list.
 *
 * The feed doesn't say it: it is read from the log, first of the conversations
 * on top, a few at a time, and carried on by what is pushed.
 */

import type { ClientApi, Conversation, Entry, HistoryPage, Message } from '../types.ts';
import { fold } from './fold.ts';
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
/** Entries read of each: the last ones may be nothing to show. */
const PAGE = 20;

export class Previews {
  readonly #client: ClientApi;
  readonly #changed: (conversation: string) => void;
  readonly #last = new Map<string, LastEntry>();
  /** Up to which seq each is known. */
  readonly #known = new Map<string, number>();
  readonly #asked = new Set<string>();
  readonly #queue = new Map<string, 'cache' | 'server'>();
  #reading = 0;
  #closed = false;

  constructor(client: ClientApi, changed: (conversation: string) => void) {
    this.#client = client;
    this.#changed = changed;
  }

  get(conversation: string): LastEntry | undefined {
    return this.#last.get(conversation);
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
    if (entry.type === 'message') this.#last.set(id, { type: 'message', message: entry });
    else if (entry.type === 'change') {
      this.#last.set(id, { type: 'system', entry, event: entry.what });
    } else if (entry.type === 'unknown') this.#last.set(id, { type: 'unknown', entry });
    else if (isRelation(entry) && last?.type === 'message' && last.message.seq === entry.target) {
      this.#last.set(id, { type: 'message', message: fold(last.message, [entry]) });
    }
  }

  #handlePage(id: string, page: HistoryPage): void {
    const known = this.#known.get(id) ?? 0;
    const newest = page.entries.at(-1)?.seq ?? 0;
    if (newest === 0 || newest < known) return;
    this.#known.set(id, newest);
    // Messages of a page are as they are now: its relations are in them already.
    const shown = page.entries.filter((entry) => !isRelation(entry));
    for (const entry of shown) this.#take(id, entry);
    this.#changed(id);
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
      const cache = from === 'cache' ? ('only' as const) : undefined;
      const page = await this.#client.history(id, { type: 'latest' }, { limit: PAGE, cache });
      if (!this.#closed) this.#handlePage(id, page);
    } catch {
      // The line goes without; it is asked for again after a reconnect.
      this.#asked.delete(id);
    } finally {
      this.#reading -= 1;
      this.#next();
    }
  }
}
