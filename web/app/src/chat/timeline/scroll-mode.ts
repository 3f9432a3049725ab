/**
 * What a list keeps still while rows come, go and grow: its end, or a row. One mode at a
 * time, and the transitions between them by the name of what happened. Pure: offsets and
 * heights are arguments, in pixels.
 *
 *   unplaced ──begin──► following or reading      (and back when there are no rows)
 *   following ◄──readerMoved, end, jump──► reading
 *   reading ──rowsAbove──► held ──drawn──► reading
 *   any ──toggled──► reading or held
 */

/** A row and how far its top is below the view's. */
export interface Anchor {
  readonly key: string;
  readonly offset: number;
  /** Other rows in view, for when this one goes. */
  readonly spare: readonly string[];
}

export type Mode =
  /** There are no rows: where the list begins is not decided yet. */
  | { readonly type: 'unplaced' }
  /** The end of the newest row stays in view. */
  | { readonly type: 'following' }
  /** The anchor's top stays where it is. */
  | { readonly type: 'reading'; readonly anchor: Anchor }
  /**
   * Rows came in above and are not drawn yet. What was the first row may get another head then, as when it is not the
   * first of its sender after all: its bottom stays where it is.
   */
  | { readonly type: 'held'; readonly anchor: Anchor; readonly bottom: number };

export const UNPLACED: Mode = { type: 'unplaced' };
export const FOLLOWING: Mode = { type: 'following' };

/** How far below the view's top a list begins that begins at a row. */
const START_OFFSET = 48;

/** The end of what is loaded is to be shown; it is followed if nothing newer is left to load. */
export function end(reachesEnd: boolean, last: string, viewHeight: number): Mode {
  return reachesEnd ? FOLLOWING : jump(last, viewHeight);
}

/** The first rows came: the list begins at the row asked for, without one at the end. */
export function begin(
  start: string | undefined,
  atEnd: () => Mode,
  offset: number = START_OFFSET,
): Mode {
  return start === undefined ? atEnd() : jump(start, offset);
}

/** The reader scrolled; `atNewest` when the end of all rows is in view. */
export function readerMoved(atNewest: boolean, anchor: () => Anchor): Mode {
  return atNewest ? FOLLOWING : { type: 'reading', anchor: anchor() };
}

/** A row is to be shown at this offset. */
export function jump(key: string, offset: number): Mode {
  return { type: 'reading', anchor: { key, offset, spare: [] } };
}

/** Rows came in above the anchor, whose bottom was there. */
export function rowsAbove(mode: Mode, bottom: number): Mode {
  return mode.type === 'reading' ? { type: 'held', anchor: mode.anchor, bottom } : mode;
}

/**
 * The reader opens a row that lies here, to read on, or closes it again: one that opens
 * grows downward, one that closes keeps its end, where what was pressed is.
 */
export function toggled({ key, offset, height }: Placed, opens: boolean): Mode {
  const mode = jump(key, offset);
  return opens ? mode : rowsAbove(mode, offset + height);
}

/** The rows are drawn; `row` is the one that the anchor stands for now, if it is in the page. */
export function drawn(mode: Mode, row: { key: string; height: number } | undefined): Mode {
  if (mode.type !== 'held') return mode;
  const { anchor, bottom } = mode;
  if (row?.key !== anchor.key) return { type: 'reading', anchor };
  return { type: 'reading', anchor: { ...anchor, offset: bottom - row.height } };
}

/** The view's height changed: the last row in view stays above what grew below it, such as a keyboard. */
export function viewResized(mode: Mode, by: number): Mode {
  if (mode.type === 'unplaced' || mode.type === 'following') return mode;
  const anchor = { ...mode.anchor, offset: mode.anchor.offset + by };
  return mode.type === 'held'
    ? { ...mode, anchor, bottom: mode.bottom + by }
    : { type: 'reading', anchor };
}

/** A row in the page, as it lies in the view. */
export interface Placed {
  readonly key: string;
  readonly offset: number;
  readonly height: number;
}

/** The row that is being read: the first whose top is in the upper half, else the first in view. Rows in order. */
export function anchorOf(rows: Iterable<Placed>, viewHeight: number): Anchor | undefined {
  let best: { key: string; offset: number } | undefined;
  const spare: string[] = [];
  for (const { key, offset, height } of rows) {
    if (offset + height <= 0) continue;
    if (offset >= viewHeight) break;
    if (!best || (best.offset < 0 && offset < viewHeight / 2)) best = { key, offset };
    spare.push(key);
  }
  return best && { ...best, spare };
}
