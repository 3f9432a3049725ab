/**
 * The messages of one conversation that the user hid: how many there are as the
 * server tells, and how many of them are known here, which are asked for in order.
 */

export class Hidden {
  #count: number;
  #known: number;
  #onItsWay = false;

  constructor(known: number) {
    this.#count = known;
    this.#known = known;
  }

  get known(): number {
    return this.#known;
  }

  /** This device begins now: what is hidden by now never comes. */
  begin(count: number): void {
    this.#known = count;
  }

  /** The server tells how many there are. */
  handleCount(count: number): void {
    this.#count = Math.max(this.#count, count);
  }

  /** After how many to ask for more; nothing when there is no need, or it is on its way. */
  due(): number | undefined {
    return !this.#onItsWay && this.#count > this.#known ? this.#known : undefined;
  }

  start(): void {
    this.#onItsWay = true;
  }

  /** So many more came; none means that there are no more. */
  finish(more: number): void {
    this.#onItsWay = false;
    // Asking on would be for ever.
    this.#known = more > 0 ? this.#known + more : this.#count;
  }

  /** They can't be had: with the next change, or in the next session. */
  giveUp(): void {
    this.#onItsWay = false;
    this.#count = this.#known;
  }

  handleDisconnected(): void {
    this.#onItsWay = false;
  }
}
