/**
 * In which conversation a message expires next: an index, so that nobody has to look
 * through all of them. All times are the server's; `Infinity` is never.
 */
export class Expiries {
  readonly #times = new Map<string, number>();
  /** The earliest first; put in order once for all that changed meanwhile. */
  #order: [id: string, atMs: number][] | undefined;

  /** In this conversation something expires then. */
  set(id: string, atMs = Infinity): void {
    if ((this.#times.get(id) ?? Infinity) === atMs) return;
    this.#times.set(id, atMs);
    this.#order = undefined;
  }

  /** Those where something expires, and when, the earliest first. */
  get order(): readonly [id: string, atMs: number][] {
    this.#order ??= [...this.#times].sort((a, b) => a[1] - b[1]);
    return this.#order;
  }
}
