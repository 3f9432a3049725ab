/**
 * What this device holds of one conversation: the gap rule.
 *
 * Entries are taken in order, each once. One that is ahead waits in a small
 * stash; what does not fit there is dropped, because the log has it and the
 * fetch of the gap brings it again. Whether a gap is fetched at once or after a
 * short grace depends on how it was found.
 */

import type { Raw } from '../../history.ts';

/** Bounds of the stash of one conversation. */
const STASH_ENTRIES = 64;
const STASH_BYTES = 1 << 20;

/**
 * An own send is often answered just before the entries below it are pushed: so
 * long a gap found that way may fill by itself.
 */
const GRACE_MS = 200;

/** Bounds what a hostile or broken server can make the client ask again and again. */
const STALLS = 3;

export class Log {
  /** What tells the newest entries that were taken from others, for `reset.ts`. */
  readonly marks = new Map<number, string>();
  /** The server is to be asked whether its log still has what was taken. */
  doubted = false;
  /** Up to where that was taken when it was asked. */
  asked = 0;
  readonly #stash = new Map<number, Raw>();
  #stashBytes = 0;
  #held: number;
  #last: number;
  #fetching = false;
  /** Not before this moment, unless something is found out meanwhile. */
  #notBeforeMs = 0;
  /** Fetches in a row that brought nothing. */
  #stalls = 0;

  constructor(held: number, last: number, mark?: string) {
    if (mark) this.marks.set(held, mark);
    this.#held = held;
    this.#last = Math.max(last, held);
  }

  /** Everything up to this seq was taken. */
  get held(): number {
    return this.#held;
  }

  /** The highest seq known to exist. */
  get last(): number {
    return this.#last;
  }

  /** A seq is known to exist. A push or the feed is reliable, our own send's answer a little early. */
  noteLast(last: number, nowMs: number, early: boolean): void {
    if (last <= this.last) return;
    this.#last = last;
    this.#stalls = 0;
    this.#notBeforeMs = early ? nowMs + GRACE_MS : nowMs;
  }

  /** Takes notice of an entry. */
  offer(entry: Raw): void {
    const { seq } = entry;
    this.#last = Math.max(this.last, seq);
    if (seq <= this.held) return;
    // The last word counts: what waits may be of an earlier session.
    this.#stashBytes -= this.#stash.get(seq)?.bytes.length ?? 0;
    this.#stash.delete(seq);
    const size = entry.bytes.length;
    const fits = this.#stash.size < STASH_ENTRIES && this.#stashBytes + size <= STASH_BYTES;
    // The next one in order always fits: without it nothing can move.
    if (fits || seq === this.held + 1) {
      this.#stashBytes += size;
      this.#stash.set(seq, entry);
    }
  }

  /** The lowest seq that waits in the stash. */
  firstWaiting(): number | undefined {
    return this.#stash.size === 0 ? undefined : Math.min(...this.#stash.keys());
  }

  /** The next entry in order, without taking it. */
  peek(): Raw | undefined {
    return this.#stash.get(this.held + 1);
  }

  /** Takes the next entry in order. */
  take(): Raw | undefined {
    const entry = this.peek();
    if (!entry) return undefined;
    this.#stash.delete(entry.seq);
    this.#held = entry.seq;
    this.#stashBytes -= entry.bytes.length;
    this.#stalls = 0;
    return entry;
  }

  /** Whether something is missing that is not waiting in the stash. */
  get hasGap(): boolean {
    return this.held < this.last && !this.peek();
  }

  /** When to fetch the gap; nothing when there is none, or a fetch is on its way. */
  fetchAtMs(): number | undefined {
    const due = this.hasGap && !this.#fetching && this.#stalls < STALLS;
    return due ? this.#notBeforeMs : undefined;
  }

  startFetch(): void {
    this.#fetching = true;
  }

  /**
   * The answer to a fetch after `held` was offered entry by entry before this.
   * `first` is the page's lowest seq, `atStart` that nothing older exists for
   * this reader.
   */
  finishFetch(first: number | undefined, atStart: boolean, nowMs: number): void {
    this.#fetching = false;
    // Who joins a group late can't see what was before.
    if (first !== undefined && atStart && first > this.held + 1) this.beginAt(first - 1);
    if (this.hasGap && (first === undefined || first > this.held + 1)) {
      this.#stalls++;
      this.#notBeforeMs = nowMs + 1000;
    } else {
      this.#notBeforeMs = nowMs;
    }
  }

  handleDisconnected(): void {
    this.asked = 0;
    this.#fetching = false;
    this.#stalls = 0;
    this.#notBeforeMs = 0;
  }

  /** Nothing up to `held` is there for this device, or wanted. */
  beginAt(held: number): void {
    if (held <= this.held) return;
    this.#held = held;
    this.#last = Math.max(this.last, held);
    for (const [seq, entry] of this.#stash) {
      if (seq > held) continue;
      this.#stash.delete(seq);
      this.#stashBytes -= entry.bytes.length;
    }
  }
}
