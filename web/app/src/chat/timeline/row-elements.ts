/**
 * The elements of the rows that are in the page: found by key, measured, watched for
 * changes of their height. All that a list reads from the document about its rows.
 */
import type { Heights } from './heights';
import { type Anchor, anchorOf, type Placed } from './scroll-mode';

export class RowElements {
  readonly #elements = new Map<string, HTMLElement>();
  readonly #heights: Heights;
  #observer: ResizeObserver | undefined;

  constructor(heights: Heights) {
    this.#heights = heights;
  }

  /** For `{@attach}` of a row's element, which has its key in `data-key`. */
  readonly mounted = (element: HTMLElement): (() => void) => {
    const key = element.dataset.key ?? '';
    this.#elements.set(key, element);
    this.#observer?.observe(element);
    return () => {
      this.#observer?.unobserve(element);
      if (this.#elements.get(key) === element) this.#elements.delete(key);
    };
  };

  get(key: string | undefined): HTMLElement | undefined {
    return key === undefined ? undefined : this.#elements.get(key);
  }

  /** Where a row lies in the view; undefined when it is not in the page. */
  placed(key: string | undefined, view: HTMLElement): Placed | undefined {
    const element = this.get(key);
    if (!element || key === undefined) return undefined;
    return { key, offset: element.offsetTop - view.scrollTop, height: element.offsetHeight };
  }

  /** Measures all rows in the page. */
  measure(): void {
    for (const [key, element] of this.#elements) this.#heights.measure(key, element.offsetHeight);
  }

  /** Calls `onchange` when a row's height is another than the one known, or the view's size changed. */
  watch(view: HTMLElement, onchange: (viewChanged: boolean) => void): () => void {
    const observer = new ResizeObserver((changes) => {
      let viewChanged = false;
      let changed = false;
      for (const { target } of changes) {
        if (target === view) viewChanged = true;
        else if (target instanceof HTMLElement && target.isConnected)
          changed = this.#measured(target) || changed;
      }
      if (viewChanged || changed) onchange(viewChanged);
    });
    this.#observer = observer;
    observer.observe(view);
    for (const element of this.#elements.values()) observer.observe(element);
    return () => observer.disconnect();
  }

  #measured(element: HTMLElement): boolean {
    const { key } = element.dataset;
    return key !== undefined && this.#heights.measure(key, element.offsetHeight);
  }

  /** The row that is being read: the one with the focus, else one in view, of those from `first` up to `last`. */
  anchor(view: HTMLElement, first: number, last: number): Anchor {
    const height = view.clientHeight;
    const focused = document.activeElement?.closest<HTMLElement>('[data-key]');
    if (focused && view.contains(focused)) {
      const offset = focused.offsetTop - view.scrollTop;
      if (offset >= 0 && offset < height)
        return { key: focused.dataset.key ?? '', offset, spare: [] };
    }
    const seen = anchorOf(this.#from(view, first, last), height);
    if (seen) return seen;
    // None of them is in view, as after a leap with the scroll bar.
    const at = this.#heights.indexAt(view.scrollTop);
    const offset = this.#heights.top(at) - view.scrollTop;
    return { key: this.#heights.key(at) ?? '', offset, spare: [] };
  }

  *#from(view: HTMLElement, first: number, last: number): Generator<Placed> {
    for (let i = first; i < last; i++) {
      const row = this.placed(this.#heights.key(i), view);
      if (row) yield row;
    }
  }
}
