// Emoji by their names: the data, and `:rocket` while it is being written.

import { type Begun, fold } from '@parley/client/text';

/**
 * The emoji, words to find it by, and what it is called between colons, both with
 * spaces between; 1 when it comes in skin tones.
 */
export type Emoji = readonly [emoji: string, words: string, codes: string, tones?: 1];
export type EmojiGroup = readonly [group: number, list: readonly Emoji[]];

export interface Found {
  readonly emoji: string;
  readonly code: string;
}

// Not in a word, a time or an address, and two letters at least: `:D` and `:-)` are left alone.
const BEGUN = /(?<![\p{L}\p{N}_:/]):([\p{L}\p{N}+-][\p{L}\p{N}_+-]{1,31})$/u;
const ENDED = /(?<![\p{L}\p{N}_:/]):([\p{L}\p{N}+-][\p{L}\p{N}_+-]{0,48}):$/u;

/** The picker's number for those used last, beside the data's groups. */
export const RECENT = -1;

let loading: Promise<readonly EmojiGroup[]> | undefined;

/** All emoji by groups; loaded once. */
export function loadEmoji(): Promise<readonly EmojiGroup[]> {
  loading ??= import('virtual:emoji').then(
    (module) => module.default,
    (error: unknown) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** The name that is being written before the caret. */
export function begunEmoji(text: string, caret: number): Begun | undefined {
  return nameBefore(text, caret, BEGUN);
}

/** The name that ended with the colon before the caret, and where it begins. */
export function endedEmoji(text: string, caret: number): Begun | undefined {
  return nameBefore(text, caret, ENDED);
}

function nameBefore(text: string, caret: number, form: RegExp): Begun | undefined {
  const match = form.exec(text.slice(Math.max(0, caret - 60), caret));
  if (!match) return undefined;
  const at = caret - match[0].length;
  // In code everything stays as it is.
  const line = text.slice(text.lastIndexOf('\n', at) + 1, at);
  if (line.split('`').length % 2 === 0) return undefined;
  return { at, letters: fold(match[1] ?? '') };
}

/** The emoji of exactly this name. */
export function emojiOf(groups: readonly EmojiGroup[], code: string): string | undefined {
  for (const [, list] of groups) {
    const found = list.find(([, , codes]) => codes.split(' ').includes(code));
    if (found) return found[0];
  }
  return undefined;
}

/** Emoji for the beginning of a name: those called so first, then those that have to do with it. */
export function findEmoji(groups: readonly EmojiGroup[], letters: string, most: number): Found[] {
  const ranks: [Found[], Found[], Found[], Found[], Found[]] = [[], [], [], [], []];
  const word = letters.replaceAll('_', ' ');
  for (const [, list] of groups) {
    for (const [emoji, words, all] of list) {
      const [codes, text] = [all.split(' '), fold(words)];
      const begins = codes.find((code) => code.startsWith(letters));
      const found = { emoji, code: begins ?? codes[0] ?? '' };
      if (codes.includes(letters)) ranks[0].push({ emoji, code: letters });
      else if (begins !== undefined) ranks[1].push(found);
      else if (text.startsWith(word)) ranks[2].push(found);
      else if (text.includes(` ${word}`)) ranks[3].push(found);
      else if (all.includes(letters)) ranks[4].push(found);
    }
  }
  return ranks.flat().slice(0, most);
}

/** Emoji whose words all have the searched ones; those that are called so first. */
export function searchEmoji(
  groups: readonly EmojiGroup[],
  query: string,
  most: number,
): readonly Emoji[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const first = words[0] ?? '';
  return groups
    .flatMap(([, list]) => list)
    .filter(([, text, codes]) => words.every((word) => text.includes(word) || codes.includes(word)))
    .sort(([, a], [, b]) => Number(b.startsWith(first)) - Number(a.startsWith(first)))
    .slice(0, most);
}
