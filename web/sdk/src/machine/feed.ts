/**
 * Where the feed stands: which changes of conversations this device has taken.
 *
 * The position is what was taken whole. A count that may be stale makes the
 * feed be asked again, a resync, from where the position was before; should
 * that not bring the conversation, from the version of what is known of it.
 */

import type { Outputs } from './outputs.ts';

/** How long a resync waits for what follows the entry that wants it. */
const RESYNC_MS = 200;

/** Resyncs in a row that leave a count stale, after which it stays so until the next change. */
const RESYNCS = 4;

const NEVER = Number.POSITIVE_INFINITY;

export class Feed {
  readonly #outputs: Outputs;
  #position: number;
  /** From where it is to be asked again, when that is before the position. */
  #resyncFrom: number | undefined;
  /** From where it is being asked. */
  #askedFrom: number | undefined;
  /** It is to be asked for all there is, whatever is being asked now. */
  restart = false;
  /** A resync is wanted since this input. */
  #wanted = false;
  #resyncs = 0;
  /** All pages of the session's first answer were taken. */
  #synced = false;
  #fresh: boolean;
  #syncAtMs = NEVER;

  constructor(outputs: Outputs, position: number) {
    this.#outputs = outputs;
    this.#position = position;
    this.#fresh = position === 0;
  }

  get isSynced(): boolean {
    return this.#synced;
  }

  /** A device without a position begins by {@link Config.catchUp}. */
  get isFresh(): boolean {
    return this.#fresh;
  }

  /** From where it has to be asked, were it asked now. */
  get #from(): number {
    if (this.restart) return 0;
    return Math.min(
      this.#position,
      this.#resyncFrom ?? this.#position,
      this.#askedFrom ?? this.#position,
    );
  }

  #save(): void {
    this.#outputs.save({ type: 'feed', position: this.#from });
  }

  /** A question is made. Returns from where. */
  ask(): number {
    const from = this.#from;
    this.#resyncFrom = undefined;
    this.restart = false;
    this.#askedFrom = from;
    return from;
  }

  /** As {@link ask}, when a sync is due. */
  takeSync(nowMs: number): number | undefined {
    // One at a time: what was asked from is forgotten with the answer.
    if (this.#syncAtMs > nowMs || this.#askedFrom !== undefined) return undefined;
    this.#syncAtMs = NEVER;
    return this.ask();
  }

  /** The question was refused, or its answer is lost. */
  #unanswered(): void {
    if (this.#askedFrom === undefined) return;
    this.#resyncFrom = this.#from;
    this.#askedFrom = undefined;
  }

  /** The question was refused; again at `atMs`. */
  handleRefused(atMs: number): void {
    this.#unanswered();
    this.#syncAtMs = atMs;
  }

  /**
   * The conversations of a page that was asked for were taken. Returns whether
   * it is the last one; then {@link handleStale} follows.
   */
  handleAnswer(position: number, more: boolean, nowMs: number): boolean {
    this.#askedFrom = undefined;
    // Nothing was pushed before the first answer of a session: it is right also
    // when it is lower.
    this.#position = this.#synced ? Math.max(this.#position, position) : position;
    if (more) {
      // The position may be further already, by what was pushed meanwhile.
      this.#resyncFrom = position;
      this.#syncAtMs = nowMs;
      return false;
    }
    this.#synced = true;
    return true;
  }

  /** All there is was taken, since the beginning or a restart. */
  takeFresh(): boolean {
    this.#fresh = false;
    return !this.restart;
  }

  /**
   * A push or an answer moved the feed. While pages of it are missing, only they
   * move it, or what they hold would be skipped.
   */
  advance(position: number): void {
    if (!this.#synced || position <= this.#position) return;
    this.#position = position;
    this.#save();
  }

  /** The server's position, as a heartbeat's answer tells it: what is missing is asked for. */
  handlePosition(position: number, nowMs: number): void {
    if (position > this.#position) this.#syncAtMs = Math.min(this.#syncAtMs, nowMs);
  }

  /** A count may be stale: the feed is asked again from here. */
  requestResync(): void {
    this.#resyncFrom = this.#from;
    this.#wanted = true;
  }

  /** The feed knows something by now that it doesn't tell this session by itself. */
  resyncNow(nowMs: number): void {
    this.#resyncFrom = this.#from;
    this.#syncAtMs = nowMs;
  }

  /** At the end of an input: what was wanted in it is asked a little later, with what follows it. */
  scheduleResync(nowMs: number): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#resyncs = 0;
    this.#syncSoon(nowMs);
  }

  /** All pages were taken; `staleVersion` is the lowest version of a count that is stale all the same. */
  handleStale(staleVersion: number | undefined, nowMs: number): void {
    this.#save();
    if (staleVersion === undefined) {
      this.#resyncs = 0;
      return;
    }
    if (this.#resyncs >= RESYNCS) return;
    this.#resyncs++;
    // The entry itself again: its version is above the one asked from.
    this.#resyncFrom = Math.min(this.#from, Math.max(0, staleVersion - 1));
    this.#syncSoon(nowMs);
  }

  #syncSoon(nowMs: number): void {
    if (this.#syncAtMs === NEVER) this.#syncAtMs = nowMs + RESYNC_MS;
  }

  /** When {@link takeSync} is due. */
  deadline(): number {
    return this.#syncAtMs;
  }

  endSession(): void {
    this.#syncAtMs = NEVER;
    this.#unanswered();
    this.#synced = false;
  }
}
