/**
 * The entries of one log that are held, and what they make of its messages.
 *
 * Pages say how messages are at the time of reading; what came since is in the
 * log itself. Each message remembers how far it was read (`asOf`), and takes
 * what is above. So it doesn't matter in which order pages and pushes come.
 */

import type { Entry, HistoryPage, Message } from '../types.ts';
import { equal } from './equal.ts';
import { fold, isExpired } from './fold.ts';
import { isRelation, type Relation, type Update } from './items.ts';
import { type Run, Runs } from './runs.ts';
import type { Row } from './types.ts';

/** One entry with what was worked out from it. */
export interface Held {
  readonly seq: number;
  entry: Entry;
  /** What was done up to here is in `entry`. */
  asOf: number;
  /** Read from the cache, which may have missed something: the server's word replaces it. */
  cached: boolean;
  /** The message as it is now, made on demand; the same object while it says the same. */
  folded?: Message | undefined;
  stale?: boolean | undefined;
  /** The row shown last, kept while it is right. */
  row?: Row | undefined;
  /** Its day, once worked out. */
  day?: string | undefined;
}

/** Answered messages that lie elsewhere, at most. */
const QUOTES = 1_000;

export class HeldLog {
  readonly #runs = new Runs<Held>();
  /** What was done to a message, by the message's seq, by its own seq. */
  readonly #done = new Map<number, Map<number, Relation>>();
  /** Answered messages that lie elsewhere; the oldest asked for goes first. */
  readonly #quotes = new Map<number, Held>();
  /** Own updates on their way, by message. */
  #pending: ReadonlyMap<number, readonly Update[]> = new Map();
  #floor = 0;

  get runs(): readonly Run<Held>[] {
    return this.#runs.all;
  }

  get size(): number {
    return this.#runs.size;
  }

  get first(): number | undefined {
    return this.#runs.first;
  }

  get last(): number | undefined {
    return this.#runs.last;
  }

  /** Nothing up to here is there any more. */
  get floor(): number {
    return this.#floor;
  }

  get(seq: number): Held | undefined {
    return this.#runs.get(seq);
  }

  isBridged(after: number, before: number): boolean {
    return this.#runs.isBridged(after, before) || before <= this.#floor + 1;
  }

  bridge(after: number, before: number): void {
    this.#runs.bridge(after, before);
  }

  /** A message as it is now, whether it is held or only answered. */
  message(seq: number): Message | undefined {
    const held = this.#runs.get(seq) ?? this.#quotes.get(seq);
    return held && this.now(held);
  }

  /** What a held message is now. */
  now(held: Held): Message | undefined {
    if (held.entry.type !== 'message') return undefined;
    if (held.folded === undefined || held.stale) {
      const now = fold(held.entry, this.#updates(held));
      if (!equal(held.folded, now)) held.folded = now;
      held.stale = false;
    }
    return held.folded;
  }

  /** A message as {@link HeldLog.message}, unless it is too old by now. */
  messageAt(seq: number, nowMs: number): Message | undefined {
    const message = this.message(seq);
    return message && !isExpired(message, nowMs) ? message : undefined;
  }

  /** Whether an own update to it is on its way. */
  isChanging(seq: number): boolean {
    return this.#pending.has(seq);
  }

  /** Takes a page. */
  putPage(page: HistoryPage): void {
    const { lastSeq, fromCache } = page;
    const entries = page.entries.filter((entry) => entry.seq > this.#floor);
    this.#put(entries, lastSeq, fromCache);
    for (const message of page.quoted) {
      if (message.seq > this.#floor) this.#quote(message, lastSeq, fromCache);
    }
  }

  /** Takes an entry that was pushed. */
  putEntry(entry: Entry): void {
    const { seq } = entry;
    if (seq > this.#floor && !this.#runs.get(seq)) this.#put([entry], seq, false);
  }

  /** Nothing up to here is there any more: erased, or cleared. */
  erase(upTo: number): void {
    this.#floor = Math.max(this.#floor, upTo);
    this.#forget(this.#runs.dropUpTo(this.#floor));
    for (const seq of this.#quotes.keys()) if (seq <= this.#floor) this.#quotes.delete(seq);
  }

  /** Lets go of what is far from `eye`, until `most` are left. */
  trim(eye: number, most: number): void {
    const { first, last } = this;
    if (first === undefined || last === undefined || this.size <= most) return;
    const far = Math.ceil(most / 2);
    if (last - eye > eye - first) this.#forget(this.#runs.dropFrom(eye + far));
    else this.#forget(this.#runs.dropUpTo(eye - far));
  }

  /** Own updates that are on their way, by message. */
  setPending(pending: ReadonlyMap<number, readonly Update[]>): void {
    const changed = new Set([...this.#pending.keys(), ...pending.keys()]);
    this.#pending = pending;
    for (const seq of changed) this.#touch(seq);
  }

  #put(entries: readonly Entry[], asOf: number, cached: boolean): void {
    const read = (entry: Entry) => this.#read(this.#runs.get(entry.seq), entry, asOf, cached);
    this.#runs.put(entries.map(read));
    for (const entry of entries) if (isRelation(entry)) this.#relate(entry);
  }

  /** The better of two readings: the server's before the cache's, the newer before the older. */
  #read(held: Held | undefined, entry: Entry, asOf: number, cached: boolean): Held {
    if (!held) {
      // What was answered and is now held itself goes on as the same object.
      const folded = this.#quotes.get(entry.seq)?.folded;
      return { seq: entry.seq, entry, asOf, cached, folded, stale: true };
    }
    const better = held.cached === cached ? asOf >= held.asOf : held.cached;
    if (better) Object.assign(held, { entry, asOf, cached, stale: true });
    return held;
  }

  #quote(message: Message, asOf: number, cached: boolean): void {
    const held = this.#read(this.#quotes.get(message.seq), message, asOf, cached);
    this.#quotes.delete(message.seq);
    this.#quotes.set(message.seq, held);
    for (const seq of this.#quotes.keys()) {
      if (this.#quotes.size <= QUOTES) break;
      this.#quotes.delete(seq);
      this.#release(seq);
    }
  }

  #relate(relation: Relation): void {
    const done = this.#done.get(relation.target) ?? new Map<number, Relation>();
    if (done.has(relation.seq)) return;
    done.set(relation.seq, relation);
    this.#done.set(relation.target, done);
    this.#touch(relation.target);
  }

  /** What was done since a message was read, in order; own updates on their way last. */
  #updates(held: Held): Update[] {
    const done = this.#done.get(held.seq);
    const since = done ? [...done.values()].filter(({ seq }) => seq > held.asOf) : [];
    since.sort((a, b) => a.seq - b.seq);
    return [...since, ...(this.#pending.get(held.seq) ?? [])];
  }

  #touch(seq: number): void {
    const held = this.#runs.get(seq);
    if (held) held.stale = true;
    const quote = this.#quotes.get(seq);
    if (quote) quote.stale = true;
  }

  /** Forgets what was done to messages that are gone, unless it is held itself. */
  #forget(gone: readonly Held[]): void {
    for (const { seq, entry } of gone) {
      this.#release(seq);
      if (isRelation(entry)) this.#release(entry.target);
    }
  }

  #release(target: number): void {
    if (this.#runs.get(target) || this.#quotes.has(target)) return;
    const done = this.#done.get(target);
    if (!done) return;
    for (const seq of done.keys()) if (!this.#runs.get(seq)) done.delete(seq);
    if (done.size === 0) this.#done.delete(target);
  }
}
