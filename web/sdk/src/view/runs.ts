/**
 * The parts of a log that are held: dense runs in order, with gaps between.
 *
 * Knows positions only. That nothing lies in a gap is remembered when somebody
 * says so, and the gap is then none.
 */

/** Something with a place in a log. */
export interface Placed {
  readonly seq: number;
}

/** `entries[i]` has the seq `from + i`. */
export interface Run<E> {
  readonly from: number;
  readonly entries: readonly E[];
}

interface OpenRun<E> {
  from: number;
  entries: E[];
}

const last = <E>(run: Run<E>): number => run.from + run.entries.length - 1;

export class Runs<E extends Placed> {
  /** In order, not touching each other. */
  #runs: OpenRun<E>[] = [];
  /** From the last seq of one run to the first of the next: nothing is between. */
  readonly #bridges = new Map<number, number>();

  get all(): readonly Run<E>[] {
    return this.#runs;
  }

  get size(): number {
    return this.#runs.reduce((sum, run) => sum + run.entries.length, 0);
  }

  get first(): number | undefined {
    return this.#runs[0]?.from;
  }

  get last(): number | undefined {
    const run = this.#runs.at(-1);
    return run && last(run);
  }

  get(seq: number): E | undefined {
    const run = this.#runs[this.#at(seq)];
    return run?.entries[seq - run.from];
  }

  /** Whether nothing is missing between these two. */
  isBridged(after: number, before: number): boolean {
    return after + 1 >= before || this.#bridges.get(after) === before;
  }

  /** There is nothing between these two. */
  bridge(after: number, before: number): void {
    if (after + 1 < before) this.#bridges.set(after, before);
  }

  /** Takes entries in ascending order; those held already are replaced. */
  put(entries: readonly E[]): void {
    let start = 0;
    for (let i = 1; i <= entries.length; i += 1) {
      const ends = i === entries.length || (entries[i] as E).seq !== (entries[i - 1] as E).seq + 1;
      if (!ends) continue;
      this.#putRun(entries.slice(start, i));
      start = i;
    }
  }

  /** Drops everything up to here, and returns it. */
  dropUpTo(seq: number): E[] {
    const gone: E[] = [];
    const kept: OpenRun<E>[] = [];
    for (const run of this.#runs) {
      const cut = Math.max(0, Math.min(run.entries.length, seq - run.from + 1));
      for (const entry of run.entries.slice(0, cut)) gone.push(entry);
      if (cut < run.entries.length) {
        kept.push({ from: run.from + cut, entries: cut ? run.entries.slice(cut) : run.entries });
      }
    }
    this.#runs = kept;
    this.#forgetBridges();
    return gone;
  }

  /** Drops everything from here on, and returns it. */
  dropFrom(seq: number): E[] {
    const gone: E[] = [];
    const kept: OpenRun<E>[] = [];
    for (const run of this.#runs) {
      const keep = Math.max(0, Math.min(run.entries.length, seq - run.from));
      for (const entry of run.entries.slice(keep)) gone.push(entry);
      if (keep > 0) kept.push({ from: run.from, entries: run.entries.slice(0, keep) });
    }
    this.#runs = kept;
    this.#forgetBridges();
    return gone;
  }

  /** Index of the last run that begins at or before `seq`, or -1. */
  #at(seq: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle] as OpenRun<E>).from <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Takes a dense run, joining it with those it touches. */
  #putRun(entries: E[]): void {
    const from = (entries[0] as E).seq;
    const to = from + entries.length - 1;
    // The commonest case: the next entries of the newest run.
    const before = this.#runs[this.#at(from)];
    const next = this.#runs[this.#at(from) + 1];
    if (before && last(before) + 1 === from && (!next || next.from > to + 1)) {
      for (const entry of entries) before.entries.push(entry);
      return;
    }
    const touches = (run: Run<E>): boolean => run.from <= to + 1 && last(run) >= from - 1;
    const first = this.#runs.findIndex(touches);
    if (first < 0) {
      this.#runs.splice(this.#at(from) + 1, 0, { from, entries });
      return;
    }
    const joined = this.#runs.filter(touches);
    const head = joined[0] as OpenRun<E>;
    const tail = joined.at(-1) as OpenRun<E>;
    const whole = [
      ...head.entries.slice(0, Math.max(0, from - head.from)),
      ...entries,
      ...tail.entries.slice(Math.max(0, to - tail.from + 1)),
    ];
    this.#runs.splice(first, joined.length, { from: Math.min(from, head.from), entries: whole });
    this.#forgetBridges();
  }

  /** Drops bridges whose ends are no neighbours any more. */
  #forgetBridges(): void {
    if (this.#bridges.size === 0) return;
    for (const [after, before] of this.#bridges) {
      const run = this.#runs[this.#at(after)];
      const next = this.#runs[this.#at(after) + 1];
      const stands = run && next && last(run) === after && next.from === before;
      if (!stands) this.#bridges.delete(after);
    }
  }
}
