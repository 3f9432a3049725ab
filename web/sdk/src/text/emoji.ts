/** When a text is emoji and nothing else. When two are the same says `sameEmoji`. */

/** A picture as it stands, or a sign that is asked to be one; `©` and `™` are letters until then. */
const PICTURE =
  '(?:(?![\\u{1f1e6}-\\u{1f1ff}])\\p{Emoji_Presentation}|(?=[\\u2600-\\u27bf\\u{1f000}-\\u{1faff}])\\p{Extended_Pictographic}|\\p{Extended_Pictographic}(?=\\ufe0f))[\\u{1f3fb}-\\u{1f3ff}]?\\ufe0f?[\\u{1f3fb}-\\u{1f3ff}]?';
/** A key, a flag of a country, a flag of a region, or pictures joined to one. */
const EMOJI = new RegExp(
  `^(?:[0-9#*]\\ufe0f?\\u20e3|[\\u{1f1e6}-\\u{1f1ff}]{2}|\\u{1f3f4}[\\u{e0020}-\\u{e007e}]+\\u{e007f}|${PICTURE}(?:\\u200d(?:${PICTURE}|[\\u2640\\u2642]))*)$`,
  'u',
);
const LETTERS = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** How many emoji a text is, if it is nothing else and not more than so many; otherwise 0. */
export function emojiAlone(text: string, most: number): number {
  if (text.length > 40 * most) return 0;
  let found = 0;
  for (const { segment } of LETTERS.segment(text)) {
    if (segment.trim() === '') continue;
    if (++found > most || !EMOJI.test(segment)) return 0;
  }
  return found;
}

/** The beginning of a text, of so many characters at most, that cuts no letter and no family in half. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const characters = [...text];
  if (characters.length <= most) return text;
  const whole = characters.slice(0, most).join('');
  // The last letter that fits, seen with what follows it.
  let to = 0;
  for (const { index, segment } of LETTERS.segment(characters.slice(0, most + 64).join(''))) {
    if (index + segment.length > whole.length) break;
    to = index + segment.length;
  }
  // Marks upon marks can make one letter of anything.
  return `${to > 0 ? whole.slice(0, to) : whole}…`;
}
