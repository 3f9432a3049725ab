/**
 * Which conversations may have something to request: now, at a time, or once
 * others are done. Descriptions and gap fetches go a bounded number side by side.
 */

/** What is bounded: descriptions, and fetches of gaps. */
export type Slot = 'describe' | 'fetch';

/** Descriptions and gap fetches on their way at a time, each. */
const SIDE_BY_SIDE = 8;

export class Schedule {
  readonly #ready = new Set<string>();
  readonly #timers = new Map<string, number>();
  /** Those that wait for a slot. */
  readonly #waiting = new Set<string>();
  #taken: Record<Slot, number> = { describe: 0, fetch: 0 };

  /** It may have something to request now. */
  wake(id: string): void {
    this.#ready.add(id);
  }

  /**
   * Looks at those that may have something, until one has. `look` returns that;
   * or when it is to be looked at again; or `wait` until a slot is free; or
   * nothing.
   */
  next<T extends object>(look: (id: string) => T | number | 'wait' | undefined): T | undefined {
    for (const id of [...this.#ready]) {
      const found = look(id);
      if (typeof found === 'object') return found;
      this.#ready.delete(id);
      if (found === 'wait') this.#waiting.add(id);
      else if (found !== undefined) this.#timers.set(id, found);
    }
    return undefined;
  }

  /** Takes a slot, until {@link finish}. False when all are taken. */
  start(slot: Slot): boolean {
    if (this.#taken[slot] >= SIDE_BY_SIDE) return false;
    this.#taken[slot]++;
    return true;
  }

  /** A slot is free: the next ones that wait may go. */
  finish(slot: Slot): void {
    this.#taken[slot] = Math.max(0, this.#taken[slot] - 1);
    // Two, because the first may turn out to need nothing any more.
    for (const id of [...this.#waiting].slice(0, 2)) {
      this.#waiting.delete(id);
      this.#ready.add(id);
    }
  }

  /** When {@link handleTimeout} has something to do. */
  deadline(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const atMs of this.#timers.values()) first = Math.min(first, atMs);
    return first;
  }

  handleTimeout(nowMs: number): void {
    for (const [id, atMs] of this.#timers) {
      if (atMs > nowMs) continue;
      this.#timers.delete(id);
      this.#ready.add(id);
    }
  }

  /** What was on its way is lost, and what waited for it or for a time begins anew. */
  endSession(): void {
    this.#taken = { describe: 0, fetch: 0 };
    this.#timers.clear();
    this.#waiting.clear();
  }
}
