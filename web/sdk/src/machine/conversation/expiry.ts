/**
 * When messages of a conversation get too old to be kept.
 *
 * A retention counts for what was stamped after it was set, and stays with it:
 * taken off again it brings nothing back. In a 1:1 each side sets it for its own
 * messages. What is known of it is learned from the entries that set it.
 */

import type { Period } from '../../store.ts';

/** Periods that are remembered; the oldest goes first. */
const PERIODS = 64;

const NEVER = Number.POSITIVE_INFINITY;

/** Whose message, where in the log and when. */
export interface Place {
  readonly seq: number;
  readonly sender: string;
  readonly timeMs: number;
}

export class Expiry {
  /** Elsewhere a period is about its author's messages only. */
  isGroup = false;
  /** When something expires next. All times are the server's. */
  nextMs = NEVER;
  #lastMs = 0;
  #periods: Period[];

  /** `lastMs`: the time of the newest entry that a store has. */
  constructor(saved: readonly Period[] = [], lastMs = 0) {
    this.#periods = [...saved];
    for (const { retentionS } of saved)
      if (retentionS) this.#expect(0, lastMs + retentionS * 1_000);
  }

  get periods(): readonly Period[] {
    return this.#periods;
  }

  /** What counts for a message. */
  period({ seq, sender }: Place): Period | undefined {
    return this.#periods.findLast((it) => it.after < seq && (this.isGroup || it.by === sender));
  }

  /** When a message expires. */
  of(place: Place): number | undefined {
    const seconds = this.period(place)?.retentionS;
    return seconds ? place.timeMs + seconds * 1_000 : undefined;
  }

  /** The same by the device's clock, of which the server's is so far ahead. */
  expiresMs(place: Place, skewMs: number): number | undefined {
    const at = this.of(place);
    return at && at - skewMs;
  }

  /** The retention is so from this entry on. */
  set(after: number, by: string, retentionS: number): void {
    // What was only taken for so gives way.
    const others = this.#periods.filter((it) => it.after !== after && (it.after || !by));
    const all = [...others, { after, by, retentionS }];
    this.#periods = all.sort((a, b) => a.after - b.after).slice(-PERIODS);
  }

  /**
   * The server says what counts after an entry of a group. Where nothing is known of
   * the time before, it is taken for what counted then, too: what it gives is there
   * all the same.
   */
  describe(after: number, retentionS: number): void {
    const known = this.period({ seq: after + 1, sender: '', timeMs: 0 });
    if ((known?.retentionS ?? 0) !== retentionS) {
      this.set(this.#periods.length > 0 ? after : 0, '', retentionS);
    }
  }

  /** Whether all entries after `floor` came under what counts for the newest, which is too old. */
  isOver(newest: Place, floor: number, nowMs: number): boolean {
    const after = this.period(newest)?.after ?? NEVER;
    return after <= floor && (this.of(newest) ?? NEVER) <= nowMs;
  }

  /** A message came. */
  handleTaken(place: Place): void {
    const at = this.of(place);
    if (at) this.#expect(at, at);
  }

  #expect(nextMs: number, lastMs: number): void {
    this.nextMs = Math.min(this.nextMs, nextMs);
    this.#lastMs = Math.max(this.#lastMs, lastMs);
  }

  /** It is so late, and something expired: when to look again. */
  handleTime(nowMs: number): void {
    // When exactly those between go is known to whoever shows them.
    const leftMs = this.#lastMs - nowMs;
    this.nextMs = leftMs > 0 ? nowMs + Math.max(leftMs / 16, 1_000) : NEVER;
  }
}
