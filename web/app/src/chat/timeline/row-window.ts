/**
 * Which rows of a long list are in the page, worked out from where they lie and what
 * the list keeps still. Pure; all lengths are pixels.
 */
import type { Heights } from './heights';
import type { Anchor, Mode } from './scroll-mode';

/** How much is kept ready above and below the view. */
const READY = 700;

/** Rows from `first` up to but without `last`. */
export interface RowWindow {
  readonly first: number;
  readonly last: number;
}

export const NO_ROWS: RowWindow = { first: 0, last: 0 };

/** Index of the row that an anchor stands for: its own, a spare one, else the last. */
export function rowOf(anchor: Anchor, heights: Heights): number {
  for (const key of [anchor.key, ...anchor.spare]) {
    const at = heights.indexOf(key);
    if (at >= 0) return at;
  }
  return heights.count - 1;
}

/** Where the view's top is, or will be once what this mode asks for is done. */
export function viewTop(mode: Mode, heights: Heights, viewHeight: number): number {
  const most = heights.total - viewHeight;
  const anchor = 'anchor' in mode ? mode.anchor : undefined;
  const wanted = anchor ? heights.top(rowOf(anchor, heights)) - anchor.offset : most;
  return Math.max(0, Math.min(wanted, most));
}

/**
 * The rows that should be in the page. While those there suffice nothing changes, so
 * that rows come and go in lots instead of one by one.
 */
export function nextWindow(
  now: RowWindow,
  heights: Heights,
  top: number,
  viewHeight: number,
): RowWindow {
  const around = (ready: number): RowWindow => ({
    first: heights.indexAt(top - ready),
    last: Math.min(heights.count, heights.indexAt(top + viewHeight + ready) + 1),
  });
  const wanted = around(READY);
  const needed = around(READY / 3);
  const short = now.first > needed.first || now.last < needed.last;
  const long = now.last - now.first > 2 * (wanted.last - wanted.first) + 20;
  return short || long || now.last > heights.count ? wanted : now;
}
