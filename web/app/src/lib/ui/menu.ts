// What a menu holds, and how the arrow keys move in it.

import type { IconType } from './icon';

export interface MenuEntry {
  id: string;
  label: string;
  icon?: IconType;
  /** For one of several: whether it is the chosen one. In a row only its looks say so, and the label has to. */
  checked?: boolean;
  disabled?: boolean;
  danger?: boolean;
  /**
   * Stands in a row above all others, as this sign (or its icon) alone; the label is
   * read aloud. Such entries come first.
   */
  row?: boolean;
  sign?: string;
  /** A line before it. */
  separated?: boolean;
  /** The shortcut that does the same, as it is shown. */
  keys?: string;
  onselect: () => void;
}

/** The entry after `from` in a direction, around the ends, past disabled ones; -1 when none can be chosen. */
export function nextEntry(entries: readonly MenuEntry[], from: number, step: 1 | -1): number {
  const count = entries.length;
  for (let i = 1; i <= count; i++) {
    const at = (((from + step * i) % count) + count) % count;
    if (entries[at]?.disabled !== true) return at;
  }
  return -1;
}

/** How many entries stand in the row. */
export function rowLength(entries: readonly MenuEntry[]): number {
  const end = entries.findIndex((entry) => !entry.row);
  return end < 0 ? entries.length : end;
}

/** The entry that has the focus first: below the row, which is one step up. */
export const firstEntry = (entries: readonly MenuEntry[]): number =>
  nextEntry(entries, rowLength(entries) - 1, 1);

/** Where a key leads from an entry; nothing for keys that don't move. */
export function movedTo(
  entries: readonly MenuEntry[],
  from: number,
  key: string,
  rtl: boolean,
): number | undefined {
  const row = rowLength(entries);
  const inRow = from >= 0 && from < row;
  switch (key) {
    case 'ArrowDown':
      return nextEntry(entries, inRow ? row - 1 : from, 1);
    case 'ArrowUp': {
      if (inRow) return nextEntry(entries, entries.length, -1);
      const to = nextEntry(entries, Math.max(from, 0), -1);
      return to < row && from >= row ? nextEntry(entries, -1, 1) : to;
    }
    case 'ArrowRight':
    case 'ArrowLeft': {
      if (!inRow) return undefined;
      const step = (key === 'ArrowRight') === rtl ? -1 : 1;
      return nextEntry(entries.slice(0, row), from, step);
    }
    case 'Home':
      return nextEntry(entries, -1, 1);
    case 'End':
      return nextEntry(entries, entries.length, -1);
    default:
      return undefined;
  }
}
