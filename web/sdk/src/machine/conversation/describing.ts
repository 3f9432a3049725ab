/**
 * Whether and when the server is to describe a conversation: at first, after
 * something that can't be followed, and again after a failure.
 */

/** Descriptions in a row that are older than what is known, after which one is taken as it is. */
const OLD_DESCRIPTIONS = 3;

export class Describing {
  #isDescribed: boolean;
  /** The session of the last answer; 0 for none. */
  #session = 0;
  #onItsWay = false;
  #again = false;
  #notBeforeMs = 0;
  #old = 0;

  constructor(isDescribed: boolean) {
    this.#isDescribed = isDescribed;
  }

  /** Whether there was an answer, in this run or before. */
  get isDescribed(): boolean {
    return this.#isDescribed;
  }

  /** Another description is wanted. */
  again(): void {
    this.#again = true;
  }

  /** Whether one is wanted again, or on its way. */
  get isAwaited(): boolean {
    return this.#onItsWay || this.#again;
  }

  /** Whether the last one is of this session: receipts keep it up to date within one. */
  isCurrent(session: number): boolean {
    return this.#session === session && !this.#again;
  }

  /** When to ask; nothing when there is no need, or it is on its way. */
  dueAtMs(): number | undefined {
    return !this.#onItsWay && (!this.#isDescribed || this.#again) ? this.#notBeforeMs : undefined;
  }

  start(): void {
    this.#onItsWay = true;
  }

  /** It can't be had now; again at `atMs`. */
  retry(atMs: number): void {
    this.#onItsWay = false;
    this.#notBeforeMs = atMs;
  }

  /** The server answered in this session. `isOld`: before entries that are known. Returns whether the answer is taken. */
  finish(session: number, isOld: boolean): boolean {
    this.#onItsWay = false;
    this.#session = session;
    this.#again = isOld && this.#old < OLD_DESCRIPTIONS;
    this.#old = this.#again ? this.#old + 1 : 0;
    if (!this.#again) this.#isDescribed = true;
    return !this.#again;
  }

  handleDisconnected(): void {
    this.#onItsWay = false;
    this.#notBeforeMs = 0;
    this.#old = 0;
  }
}
