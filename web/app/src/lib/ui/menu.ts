// What a menu holds, and how the arrow keys move in it.

import type { IconType } from './icon';

export interface MenuEntry {
  id: string;
  label: string;
  icon?: IconType;
  /** For one of several: whether it is the chosen one. */
  checked?: boolean;
  disabled?: boolean;
  danger?: boolean;
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
