/**
 * Where each row of a long list lies: measured heights where there are any,
 * an estimate elsewhere. Pure.
 */
export class Heights {
  #keys: readonly string[] = [];
  #index = new Map<string, number>();
  #measured = new Map<string, number>();
  /** #tops[i] is the top of row i; the last one is the height of all. */
  #tops = new Float64Array(1);
  /** Tops from here on are out of date. */
  #dirty = 0;

  constructor(private readonly estimate: number) {}

  /** The rows there are now, in order. Heights of rows that left are kept for a while. */
  setKeys(keys: readonly string[]): void {
    if (keys === this.#keys) return;
    const old = this.#keys;
    let same = 0;
    while (same < old.length && same < keys.length && old[same] === keys[same]) same++;
    // Rows that come at the end, as most do, cost nothing for those that are there.
    const index = same === old.length ? this.#index : new Map<string, number>();
    for (let i = index === this.#index ? same : 0; i < keys.length; i++)
      index.set(keys[i] ?? '', i);
    // Rows that left may come back soon (a jump and the way back), so they are forgotten only when there are many.
    if (this.#measured.size > 2 * keys.length + 1000) {
      for (const key of this.#measured.keys()) if (!index.has(key)) this.#measured.delete(key);
    }
    this.#keys = keys;
    this.#index = index;
    if (this.#tops.length < keys.length + 1) {
      const tops = new Float64Array(Math.ceil((keys.length + 1) * 1.5));
      tops.set(this.#tops);
      this.#tops = tops;
    }
    this.#dirty = Math.min(this.#dirty, same);
  }

  get count(): number {
    return this.#keys.length;
  }

  key(index: number): string | undefined {
    return this.#keys[index];
  }

  /** -1 when there is no such row. */
  indexOf(key: string): number {
    return this.#index.get(key) ?? -1;
  }

  /** Notes a measured height. Returns whether it differs from the one known. */
  measure(key: string, height: number): boolean {
    const old = this.#measured.get(key);
    if (old !== undefined && Math.abs(old - height) < 0.5) return false;
    this.#measured.set(key, height);
    const index = this.#index.get(key);
    if (index !== undefined) this.#dirty = Math.min(this.#dirty, index);
    return true;
  }

  /** As measured last, even if the width changed since: that is still better than the estimate. */
  height(index: number): number {
    const key = this.#keys[index];
    return (key === undefined ? undefined : this.#measured.get(key)) ?? this.estimate;
  }

  /** Top of a row; of the number of rows: the height of all. */
  top(index: number): number {
    const at = Math.max(0, Math.min(index, this.#keys.length));
    for (let i = this.#dirty; i < at; i++) {
      this.#tops[i + 1] = (this.#tops[i] ?? 0) + this.height(i);
    }
    this.#dirty = Math.max(this.#dirty, at);
    return this.#tops[at] ?? 0;
  }

  get total(): number {
    return this.top(this.#keys.length);
  }

  /** The row that holds the point y, held to the rows there are; 0 without rows. */
  indexAt(y: number): number {
    this.top(this.#keys.length);
    let low = 0;
    let high = this.#keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#tops[middle] ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }
}
