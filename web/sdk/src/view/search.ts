/**
 * Search through the whole history of one conversation, from the newest message
 * to the oldest, a page at a time: from the cache where it has the page, else
 * from the server. What was read is kept, so that the next words don't go through
 * it again: up to a bound, and while the connection lasts.
 */

import { ParleyError } from '../error.ts';
import type { ClientApi, Entry, ErrorInfo, Event, HistoryPage, Message, User } from '../types.ts';
import { deleted, isExpired } from './fold.ts';
import { excerpt, hasAll, type Piece, type Wanted, wantedWords } from './match.ts';
import { type Schedule, Snapshot } from './observable.ts';
import type { Readable } from './types.ts';

/** A message that was found. */
export interface Hit {
  readonly seq: number;
  readonly timeMs: number;
  readonly sender: User;
  readonly own: boolean;
  /** Where in the text it was found, in one line. */
  readonly excerpt: readonly Piece[];
}

export interface SearchSnapshot {
  readonly query: string;
  /** The newest first. */
  readonly hits: readonly Hit[];
  /**
   * - `idle`: nothing to look for.
   * - `searching`: going back through the history.
   * - `paused`: enough was found for now; {@link HistorySearch.more} goes on.
   * - `full`: as many as are ever kept; more words find fewer.
   * - `stopped`: {@link HistorySearch.stop} was called; `more` goes on.
   * - `failed`: a page could not be read, see `error`; `more` goes on.
   * - `done`: everything was looked at.
   */
  readonly phase: 'idle' | 'searching' | 'paused' | 'full' | 'stopped' | 'failed' | 'done';
  readonly error?: ErrorInfo | undefined;
  /** Messages looked at. */
  readonly looked: number;
  /** How much of the history was looked at, from 0 to 1. */
  readonly part: number;
  /** The time of the oldest message looked at; 0 before the first. */
  readonly backToMs: number;
}

export interface HistorySearch extends Readable<SearchSnapshot> {
  /** Looks for something else, from the newest message on. Nothing but spaces ends the search. */
  find(query: string): void;
  /** Goes on after a pause, a stop or a failure. */
  more(): void;
  stop(): void;
  close(): void;
}

export interface SearchOptions {
  readonly schedule?: Schedule | undefined;
  /** What of a message is searched and shown: without what only formats it, for example. */
  readonly textOf?: ((message: Message) => string) | undefined;
  /** Entries read at once. */
  readonly page?: number | undefined;
  /** Found messages after which the search pauses. */
  readonly lot?: number | undefined;
  /** Found messages that are kept at most. */
  readonly most?: number | undefined;
}

/** Searches in one conversation. Close it when it is left. */
export function searchHistory(
  client: ClientApi,
  conversation: string,
  options: SearchOptions = {},
): HistorySearch {
  return new Search(client, conversation, options);
}

/** Texts are compared for so long before the page gets its turn. */
const SLICE_MS = 8;

/** Entries and letters of the pages that are kept at most; what is older is read again. */
const KEPT_ENTRIES = 50_000;
const KEPT_LETTERS = 8_000_000;

class Search implements HistorySearch {
  readonly #client: ClientApi;
  readonly #conversation: string;
  readonly #textOf: (message: Message) => string;
  readonly #page: number;
  readonly #lot: number;
  readonly #most: number;
  readonly #snapshot: Snapshot<SearchSnapshot>;
  readonly #off: () => void;
  #query = '';
  #wanted: Wanted = [];
  /** By seq, descending. */
  #hits: Hit[] = [];
  #phase: SearchSnapshot['phase'] = 'idle';
  #error: ErrorInfo | undefined;
  #looked = 0;
  /** Everything from here on was looked at. */
  #before = Number.POSITIVE_INFINITY;
  #newest = 0;
  #backToMs = 0;
  /** Found messages at which it pauses next. */
  #pauseAt = 0;
  /** Pages as they are now, by the seq before which they were asked for. */
  readonly #kept = new Map<number, HistoryPage>();
  #keptEntries = 0;
  #keptLetters = 0;
  /** The oldest seq in them. */
  #keptFrom = Number.POSITIVE_INFINITY;
  /** Counts what was done to messages. */
  #changes = 0;
  /** Names the run under way: another one makes it end. */
  #run = 0;

  constructor(client: ClientApi, conversation: string, options: SearchOptions) {
    this.#client = client;
    this.#conversation = conversation;
    this.#textOf = options.textOf ?? (({ text }) => text);
    this.#page = options.page ?? 200;
    this.#lot = options.lot ?? 100;
    this.#most = options.most ?? 1_000;
    this.#snapshot = new Snapshot(() => this.#make(), options.schedule);
    this.#off = client.on((event) => this.#handle(event));
  }

  get(): SearchSnapshot {
    return this.#snapshot.get();
  }

  subscribe(run: (value: SearchSnapshot) => void): () => void {
    return this.#snapshot.subscribe(run);
  }

  find(query: string): void {
    const wanted = wantedWords(query);
    const same = wanted.join(' ') === this.#wanted.join(' ');
    this.#query = query;
    this.#snapshot.invalidate();
    // A space more is no other search.
    if (same) return;
    this.#run += 1;
    this.#wanted = wanted;
    this.#hits = [];
    this.#looked = 0;
    this.#before = Number.POSITIVE_INFINITY;
    this.#newest = 0;
    this.#backToMs = 0;
    this.#error = undefined;
    this.#phase = 'idle';
    if (wanted.length > 0) this.#start();
  }

  more(): void {
    const phase = this.#phase;
    if (phase === 'paused' || phase === 'stopped' || phase === 'failed') this.#start();
  }

  stop(): void {
    if (this.#phase !== 'searching') return;
    this.#run += 1;
    this.#phase = 'stopped';
    this.#snapshot.invalidate();
  }

  close(): void {
    this.#run += 1;
    this.#phase = 'idle';
    this.#wanted = [];
    this.#hits = [];
    this.#forget();
    this.#off();
  }

  #start(): void {
    this.#phase = 'searching';
    this.#error = undefined;
    this.#pauseAt = Math.min(this.#hits.length + this.#lot, this.#most);
    this.#run += 1;
    this.#snapshot.invalidate();
    void this.#search(this.#run);
  }

  async #search(run: number): Promise<void> {
    let phase: SearchSnapshot['phase'] | undefined;
    try {
      while (phase === undefined) {
        const before = this.#before;
        let page = this.#kept.get(before);
        if (!page) {
          const changes = this.#changes;
          page = await this.#read();
          if (run !== this.#run) return;
          // It may say how messages were before a change that came meanwhile.
          if (changes === this.#changes) this.#keep(before, page);
        }
        if (!(await this.#look(page, run))) return;
        if (page.atStart || page.entries.length === 0) phase = 'done';
        else if (this.#hits.length >= this.#most) phase = 'full';
        else if (this.#hits.length >= this.#pauseAt) phase = 'paused';
        this.#snapshot.invalidate();
      }
    } catch (thrown) {
      if (run !== this.#run) return;
      this.#error = ParleyError.from(thrown).info;
      phase = 'failed';
    }
    this.#phase = phase;
    this.#snapshot.invalidate();
  }

  /** The next older page. */
  async #read(): Promise<HistoryPage> {
    const limit = this.#page;
    const before = this.#before;
    if (before === Number.POSITIVE_INFINITY) {
      return this.#client.history(this.#conversation, { type: 'latest' }, { limit });
    }
    const range = { type: 'before', seq: before } as const;
    const cached = await this.#client.history(this.#conversation, range, { limit, cache: 'only' });
    // The cache may have holes: its page counts when it goes on where the last one ended.
    if (cached.entries.at(-1)?.seq === before - 1) return cached;
    return this.#client.history(this.#conversation, range, { limit });
  }

  #keep(before: number, page: HistoryPage): void {
    const letters = page.entries.reduce((sum, entry) => sum + lettersOf(entry), 0);
    this.#keptEntries += page.entries.length;
    this.#keptLetters += letters;
    if (this.#keptEntries > KEPT_ENTRIES || this.#keptLetters > KEPT_LETTERS) return;
    // What was answered elsewhere is not looked at.
    this.#kept.set(before, { ...page, quoted: [] });
    this.#keptFrom = Math.min(this.#keptFrom, page.entries[0]?.seq ?? this.#keptFrom);
  }

  #forget(): void {
    this.#kept.clear();
    this.#keptEntries = 0;
    this.#keptLetters = 0;
    this.#keptFrom = Number.POSITIVE_INFINITY;
    this.#changes += 1;
  }

  /** Changes messages in the pages that are kept. */
  #change(is: (seq: number) => boolean, change: (message: Message) => Message): void {
    const changed = (entry: Entry) =>
      entry.type === 'message' && is(entry.seq) ? change(entry) : entry;
    for (const [before, page] of this.#kept) {
      if (!page.entries.some((entry) => entry.type === 'message' && is(entry.seq))) continue;
      this.#kept.set(before, { ...page, entries: page.entries.map(changed) });
    }
  }

  /** Looks at a page, the newest first. False when the search was ended meanwhile. */
  async #look(page: HistoryPage, run: number): Promise<boolean> {
    this.#newest = Math.max(this.#newest, page.lastSeq, page.entries.at(-1)?.seq ?? 0);
    let since = performance.now();
    for (let i = page.entries.length - 1; i >= 0; i--) {
      const entry = page.entries[i];
      if (!entry || entry.seq >= this.#before) continue;
      this.#before = entry.seq;
      if (entry.type !== 'message' || isExpired(entry, Date.now())) continue;
      this.#looked += 1;
      this.#backToMs = entry.timeMs;
      this.#take(entry);
      if (performance.now() - since < SLICE_MS) continue;
      await new Promise((resume) => setTimeout(resume, 0));
      if (run !== this.#run) return false;
      since = performance.now();
    }
    return true;
  }

  /** Whether a message is found or not, as it is now. */
  #take(message: Message): void {
    const oldest = this.#hits.at(-1)?.seq ?? Number.POSITIVE_INFINITY;
    const at = message.seq < oldest ? -1 : this.#hits.findIndex((hit) => hit.seq <= message.seq);
    const known = at >= 0 && this.#hits[at]?.seq === message.seq;
    const text = message.deleted ? '' : this.#textOf(message);
    if (!hasAll(text, this.#wanted)) {
      if (known) this.#hits = this.#hits.toSpliced(at, 1);
      return;
    }
    const { seq, timeMs, sender, own } = message;
    const hit = { seq, timeMs, sender, own, excerpt: excerpt(text, this.#wanted) };
    if (known) this.#hits = this.#hits.with(at, hit);
    else if (at < 0) this.#hits.push(hit);
    else this.#hits = this.#hits.toSpliced(at, 0, hit);
    // What comes while it is open pushes out the oldest.
    if (this.#hits.length > this.#most) this.#hits.length = this.#most;
  }

  #drop(gone: (seq: number) => boolean): void {
    this.#changes += 1;
    this.#change(gone, deleted);
    this.#hits = this.#hits.filter((hit) => !gone(hit.seq));
    this.#snapshot.invalidate();
  }

  #handle(event: Event): void {
    // What came while there was no connection, or another store, is not known of.
    if (event.type === 'reset' || (event.type === 'state' && event.state.type !== 'ready')) {
      this.#forget();
    }
    const here = this.#conversation;
    if (event.type === 'entry' && event.entry.conversation === here) this.#handleEntry(event.entry);
    else if (event.type === 'hidden' && event.conversation === here) {
      const seqs = new Set(event.seqs);
      this.#drop((seq) => seqs.has(seq));
    } else if (event.type === 'cleared' && event.conversation === here) {
      this.#drop((seq) => seq <= event.upTo);
    }
  }

  #handleEntry(entry: Entry): void {
    const newest = this.#kept.get(Number.POSITIVE_INFINITY);
    // Before the first page is there, that page will have it, unless it is being read.
    if (this.#before === Number.POSITIVE_INFINITY && !newest) {
      this.#changes += 1;
      return;
    }
    if (newest && entry.seq > (newest.entries.at(-1)?.seq ?? 0)) {
      const entries = [...newest.entries, entry];
      this.#kept.set(Number.POSITIVE_INFINITY, { ...newest, entries });
    }
    if (entry.type === 'message') this.#take(entry);
    else if (entry.type === 'deletion') this.#drop((seq) => seq === entry.target);
    else if (entry.type === 'change' && entry.what.type === 'erased') {
      const { upTo } = entry.what;
      this.#drop((seq) => seq <= upTo);
    } else if (entry.type === 'edit') {
      this.#changes += 1;
      if (entry.target >= Math.min(this.#before, this.#keptFrom)) void this.#again(entry.target);
    }
    this.#snapshot.invalidate();
  }

  /** A message that was looked at has another text. */
  async #again(seq: number): Promise<void> {
    const wanted = this.#wanted;
    try {
      const page = await this.#client.history(
        this.#conversation,
        { type: 'around', seq },
        { limit: 1 },
      );
      const message = page.entries.find((entry) => entry.seq === seq);
      if (message?.type !== 'message') return;
      this.#change(
        (it) => it === seq,
        () => message,
      );
      if (wanted !== this.#wanted || seq < this.#before) return;
      this.#take(message);
      this.#snapshot.invalidate();
    } catch {
      // It is shown as it was found, and read again for other words.
      this.#forget();
    }
  }

  #make(): SearchSnapshot {
    const reached = this.#newest > 0 ? 1 - (this.#before - 1) / this.#newest : 0;
    return {
      query: this.#query,
      hits: [...this.#hits],
      phase: this.#phase,
      error: this.#error,
      looked: this.#looked,
      part: this.#phase === 'done' ? 1 : Math.max(0, Math.min(1, reached)),
      backToMs: this.#backToMs,
    };
  }
}

const lettersOf = (entry: Entry): number => (entry.type === 'message' ? entry.text.length : 0);
