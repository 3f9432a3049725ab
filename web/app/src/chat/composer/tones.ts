// Skin tones of emoji: 0 is none, 1 to 5 from light to dark.

export const TONES = [0, 1, 2, 3, 4, 5] as const;
export type Tone = (typeof TONES)[number];

/** The first of Unicode's five modifiers. */
const LIGHT = 0x1f3fb;

/** An emoji of one person or hand in a tone: a modifier after its first character, which then is no text for sure. */
export function toned(emoji: string, tone: Tone): string {
  if (tone === 0) return emoji;
  return emoji.replace(/^(.)\ufe0f?/u, `$1${String.fromCodePoint(LIGHT - 1 + tone)}`);
}
