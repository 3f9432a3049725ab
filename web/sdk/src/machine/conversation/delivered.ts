/**
 * The acknowledgements of one conversation: the user's delivered cursor.
 *
 * Acknowledging what was taken is automatic and cumulative, at most one
 * acknowledgement on its way; the first goes at once, further ones at most
 * every {@link deliveredEveryMs}. The server takes a cursor only over entries that
 * this very session was given, so that is tracked, and what an earlier session
 * took without a confirmed acknowledgement is fetched once more.
 */

/**
 * Least milliseconds between two acknowledgements of a conversation of so many
 * members: together they make some 100 a second. In larger groups each user has
 * a time of their own, because every message wakes all members at once.
 */
export function deliveredEveryMs(members: number, user: string): number {
  const all = Math.min(members * 10, 2000);
  const own = Number.parseInt(user.slice(-2), 16) || 0;
  return all <= 100 ? 100 : Math.max(100, Math.floor((all * (384 + own)) / 512));
}

/** Refusals in one session after which it is left to the next one. */
const REFUSALS = 3;

/** A place and not before when. */
export interface Due {
  readonly atMs: number;
  readonly upTo: number;
}

export class Acknowledged {
  /** What is up to here is not there for this user, and counts as given. */
  #floor = 0;
  #confirmed: number;
  #wanted: number;
  #covered: number;
  /** A run of given entries ahead of `covered`. */
  #ahead: [low: number, high: number] | undefined;
  #onItsWay = false;
  #notBeforeMs = 0;
  /** It was the server that asked for that. */
  #asked = false;
  #refusals = 0;
  #recovering = false;

  constructor(confirmed: number, wanted: number) {
    this.#confirmed = confirmed;
    this.#wanted = wanted;
    this.#covered = confirmed;
  }

  /** The server's cursor, as far as known. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** The highest entry of somebody else that was taken. */
  get wanted(): number {
    return this.#wanted;
  }

  /** Everything from {@link confirmed} up to this was given in this session. */
  get covered(): number {
    return this.#covered;
  }

  /** An entry of another user was taken. */
  handleTaken(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
  }

  /** The session was given `from` to `to`, all of them. */
  handleGiven(from: number, to: number): void {
    if (from <= this.#covered + 1) this.#covered = Math.max(this.#covered, to);
    else if (this.#ahead && from <= this.#ahead[1] + 1 && this.#ahead[0] <= to + 1) {
      this.#ahead = [Math.min(this.#ahead[0], from), Math.max(this.#ahead[1], to)];
    } else this.#ahead = [from, to];
    if (this.#ahead && this.#ahead[0] <= this.#covered + 1) {
      this.#covered = Math.max(this.#covered, this.#ahead[1]);
      this.#ahead = undefined;
    }
  }

  /** Nothing up to here is there for this user. */
  handleFloor(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
    this.#cover(this.#floor);
  }

  /** The server's cursor, as it tells. */
  handleConfirmed(upTo: number): void {
    this.#confirmed = Math.max(this.#confirmed, upTo);
    this.#cover(this.#confirmed);
  }

  #cover(upTo: number): void {
    this.#covered = Math.max(this.#covered, upTo);
    // May close the hole below the run ahead.
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead) this.handleGiven(ahead[0], ahead[1]);
  }

  /** What to acknowledge of what is held. */
  due(held: number): Due | undefined {
    const upTo = Math.min(held, this.#covered);
    const due =
      !this.#onItsWay &&
      !this.#recovering &&
      this.#refusals < REFUSALS &&
      this.#wanted > this.#confirmed &&
      upTo > this.#confirmed;
    return due ? { atMs: this.#notBeforeMs, upTo } : undefined;
  }

  /** Whether something is to be acknowledged yet, now or later. */
  get isPending(): boolean {
    return this.#onItsWay || (this.#wanted > this.#confirmed && this.#refusals < REFUSALS);
  }

  /** The server refused it often enough: nothing more is given to this session for it. */
  get isStuck(): boolean {
    return this.#refusals >= REFUSALS;
  }

  /** It is on its way; the next one not before `nextMs`. */
  start(nextMs: number): void {
    this.#onItsWay = true;
    this.#notBeforeMs = nextMs;
    this.#asked = false;
  }

  /** `confirmed` as the server answered, or nothing when it refused. */
  finish(confirmed: number | undefined): void {
    this.#onItsWay = false;
    if (confirmed !== undefined) {
      this.#refusals = 0;
      this.handleConfirmed(confirmed);
      return;
    }
    // The session was given less than we believed: start over.
    this.#refusals++;
    this.#covered = Math.max(this.#confirmed, this.#floor);
    this.#ahead = undefined;
  }

  /** No pause any more, unless the server asked for it. */
  skipPause(): void {
    if (!this.#asked) this.#notBeforeMs = 0;
  }

  /** The server can't take it now; again at that moment. */
  postpone(untilMs: number): void {
    this.#onItsWay = false;
    this.#notBeforeMs = untilMs;
    this.#asked = true;
  }

  /** From where entries have to be fetched once more before they can be acknowledged. */
  fetchFrom(held: number): number | undefined {
    const needed =
      this.#wanted > this.#confirmed &&
      this.#wanted > this.#covered &&
      held > this.#covered &&
      !this.#recovering &&
      this.#refusals < REFUSALS;
    return needed ? this.#covered : undefined;
  }

  startRecovery(): void {
    this.#recovering = true;
  }

  finishRecovery(broughtSomething: boolean): void {
    this.#recovering = false;
    if (!broughtSomething) this.#refusals++;
  }

  handleDisconnected(): void {
    this.#covered = this.#confirmed;
    this.#ahead = undefined;
    this.#onItsWay = false;
    this.#notBeforeMs = 0;
    this.#asked = false;
    this.#refusals = 0;
    this.#recovering = false;
    this.#cover(this.#floor);
  }
}
