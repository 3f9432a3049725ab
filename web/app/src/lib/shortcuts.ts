// The keyboard's actions: one table for what the keys do and for what the help says.

import { createKeybindingsHandler } from 'tinykeys';
import type { Key } from '../i18n';

export interface Shortcut {
  id: string;
  /** In the notation of tinykeys; `$mod` is Ctrl, on a Mac Cmd. */
  keys: string;
  label: Key;
  part: 'everywhere' | 'list' | 'conversation' | 'writing';
}

const table = {
  help: { keys: '$mod+/', label: 'keys.help', part: 'everywhere' },
  switcher: { keys: '$mod+k', label: 'keys.switcher', part: 'everywhere' },
  nextLandmark: { keys: 'Control+F6', label: 'keys.next_landmark', part: 'everywhere' },
  previousLandmark: {
    keys: 'Control+Shift+F6',
    label: 'keys.previous_landmark',
    part: 'everywhere',
  },
  close: { keys: 'Escape', label: 'keys.close', part: 'everywhere' },
  previousChat: { keys: 'Alt+ArrowUp', label: 'keys.previous_chat', part: 'list' },
  nextChat: { keys: 'Alt+ArrowDown', label: 'keys.next_chat', part: 'list' },
  previousUnread: { keys: 'Alt+Shift+ArrowUp', label: 'keys.previous_unread', part: 'list' },
  nextUnread: { keys: 'Alt+Shift+ArrowDown', label: 'keys.next_unread', part: 'list' },
  search: { keys: '$mod+f', label: 'keys.search', part: 'conversation' },
  first: { keys: 'Control+Home', label: 'keys.first', part: 'conversation' },
  latest: { keys: 'Control+End', label: 'keys.latest', part: 'conversation' },
  mention: { keys: 'Control+Shift+End', label: 'keys.mention', part: 'conversation' },
  editLast: { keys: 'ArrowUp', label: 'keys.edit_last', part: 'writing' },
  bold: { keys: '$mod+b', label: 'keys.bold', part: 'writing' },
  italic: { keys: '$mod+i', label: 'keys.italic', part: 'writing' },
  link: { keys: '$mod+Shift+l', label: 'keys.link', part: 'writing' },
  replyLast: { keys: 'Shift+ArrowUp', label: 'keys.reply_last', part: 'writing' },
} as const satisfies Record<string, Omit<Shortcut, 'id'>>;

export type ShortcutId = keyof typeof table;

export const SHORTCUTS: readonly Shortcut[] = Object.entries(table).map(([id, one]) => ({
  id,
  ...one,
}));

/** The keys hold while one writes too, but not those that an input method takes. */
const composing = (event: KeyboardEvent) => event.isComposing;

/** A handler of keydown events that does what the keys of the table say. */
export function shortcuts(
  actions: Partial<Record<ShortcutId, (event: KeyboardEvent) => void>>,
): (event: KeyboardEvent) => void {
  const bindings: Record<string, (event: KeyboardEvent) => void> = {};
  for (const [id, action] of Object.entries(actions))
    bindings[table[id as ShortcutId].keys] = action;
  return createKeybindingsHandler(bindings, { ignore: composing });
}

/** The keys as they are written on this keyboard, one text a key. */
export function keyNames(keys: string, mac: boolean): string[] {
  const names: Record<string, string> = {
    $mod: mac ? '⌘' : 'Ctrl',
    Control: mac ? '⌃' : 'Ctrl',
    Shift: mac ? '⇧' : 'Shift',
    Alt: mac ? '⌥' : 'Alt',
    Escape: 'Esc',
    ArrowUp: '↑',
    ArrowDown: '↓',
  };
  return keys.split('+').map((key) => names[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled), textarea:not(:disabled), [tabindex="0"]';

/** Moves focus to the next landmark (an element with `data-landmark`), around the ends. */
export function moveLandmark(step: 1 | -1): void {
  const places = [...document.querySelectorAll<HTMLElement>('[data-landmark]')].filter((place) =>
    place.checkVisibility(),
  );
  if (places.length === 0) return;
  const at = places.findIndex((place) => place.contains(document.activeElement));
  const next = places[(at + step + places.length + (at < 0 && step < 0 ? 1 : 0)) % places.length];
  // Its present entry, else the first thing that can be seen and used.
  const inside = [...(next?.querySelectorAll<HTMLElement>(FOCUSABLE) ?? [])].filter((element) =>
    element.checkVisibility(),
  );
  const target = inside.find((element) => element.hasAttribute('aria-current')) ?? inside[0];
  (target ?? next)?.focus();
}
