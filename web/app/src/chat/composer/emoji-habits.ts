// Which emoji somebody used last, and in which skin tone: kept in this browser.

import { TONES, type Tone } from './tones';

export interface EmojiHabits {
  /** The newest first, as they were picked. */
  readonly recent: readonly string[];
  readonly tone: Tone;
}

const KEY = 'parley.emoji';
/** Three rows of the picker. */
const MOST = 24;
/** An emoji is short; anything else in the storage is none. */
const MOST_CHARS = 32;

/** Reads what was stored; anything odd in it is passed over. */
export function readHabits(text: string | null): EmojiHabits {
  try {
    const { recent, tone } = (JSON.parse(text ?? '{}') ?? {}) as Record<string, unknown>;
    const isShort = (one: unknown) => typeof one === 'string' && one.length <= MOST_CHARS;
    return {
      recent: Array.isArray(recent) ? recent.filter(isShort).slice(0, MOST) : [],
      tone: TONES.find((one) => one === tone) ?? 0,
    };
  } catch {
    return { recent: [], tone: 0 };
  }
}

/** After one was picked. */
export const withRecent = (habits: EmojiHabits, emoji: string): EmojiHabits => ({
  ...habits,
  recent: [emoji, ...habits.recent.filter((one) => one !== emoji)].slice(0, MOST),
});

export function storedHabits(): EmojiHabits {
  try {
    return readHabits(localStorage.getItem(KEY));
  } catch {
    return readHabits(null); // storage is forbidden
  }
}

export function storeHabits(habits: EmojiHabits): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(habits));
  } catch {
    // Forbidden or full: they last until the picker closes.
  }
}
