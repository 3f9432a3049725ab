// Which messages of a conversation are selected, to be copied, passed on or deleted together.

import { SvelteSet } from 'svelte/reactivity';

/** Messages selected at once, at most. */
const MOST = 100;

export class Selection {
  /** Whether messages are being selected, also while none is. */
  active = $state(false);
  readonly #seqs = new SvelteSet<number>();
  /** Where a range begins. */
  #from = 0;

  get size(): number {
    return this.#seqs.size;
  }

  has(seq: number): boolean {
    return this.#seqs.has(seq);
  }

  /** Takes one in, or out again. */
  toggle(seq: number): void {
    this.active = true;
    this.#from = seq;
    if (this.#seqs.has(seq)) this.#seqs.delete(seq);
    else if (this.#seqs.size < MOST) this.#seqs.add(seq);
  }

  /** Takes in all from the one chosen last up to this; `order` has those that can be selected, in order. */
  extend(seq: number, order: readonly number[]): void {
    const [from, to] = [order.indexOf(this.#from), order.indexOf(seq)];
    if (!this.active || from < 0 || to < 0) {
      if (!this.#seqs.has(seq)) this.toggle(seq);
      return;
    }
    for (const one of order.slice(Math.min(from, to), Math.max(from, to) + 1))
      if (this.#seqs.size < MOST) this.#seqs.add(one);
    this.#from = seq;
  }

  clear(): void {
    this.active = false;
    this.#seqs.clear();
    this.#from = 0;
  }
}
