/**
 * Whether a text has the words that somebody looks for, whatever their case,
 * accents and width. Words may stand inside others, so that writing without
 * spaces (Chinese, Japanese) is found too.
 */

/** Marks that people leave out: accents, Hebrew points, Arabic vowels and the stretching stroke. Not the vowels of Indic and Thai writing. */
const MARKS =
  /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]/g;
/** What can't be seen: joiners, direction marks, soft hyphens. */
const UNSEEN = /\p{Cf}/gu;
const PLAIN = /^[\x20-\x7e]*$/;

/** A text as it is compared. */
export function comparable(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  // Upper case first: it makes ß and ss, and both forms of sigma, the same.
  return (
    text
      .toUpperCase()
      .toLowerCase()
      .normalize('NFKD')
      .replace(MARKS, '')
      .replace(UNSEEN, '')
      .replaceAll('ς', 'σ')
      // Endings that are written either way in Arabic.
      .replaceAll('\u0649', '\u064a')
      .replaceAll('\u0629', '\u0647')
      // Persian letters of the same look.
      .replaceAll('\u06cc', '\u064a')
      .replaceAll('\u06a9', '\u0643')
  );
}

/** What is looked for: all of these words. */
export type Wanted = readonly string[];

/** Most words of one search; the rest is not heeded. */
const WORDS = 16;

/** Nothing when there is nothing to look for. */
export function wantedWords(query: string): Wanted {
  const words = comparable(query).split(/\s+/u);
  return [...new Set(words.filter((word) => word !== ''))].slice(0, WORDS);
}

/** Whether a text has all the words. */
export function hasAll(text: string, wanted: Wanted): boolean {
  if (wanted.length === 0) return false;
  const compared = comparable(text);
  return wanted.every((word) => compared.includes(word));
}

/** A piece of a text, and whether it is one of the words. */
export interface Piece {
  readonly text: string;
  readonly found: boolean;
}

/** Letters before the first word found that are shown. */
const LEAD = 32;

/** The part of a text where the first of the words is, in one line, with the words told apart. */
export function excerpt(text: string, wanted: Wanted, most = 160): Piece[] {
  const letters = [...text.replace(/\s+/gu, ' ').trim()];
  const from = Math.max(0, firstOf(letters, wanted) - LEAD);
  const shown = letters.slice(from, from + most);
  const found = foundIn(shown, wanted);
  const pieces: { text: string; found: boolean }[] = [];
  if (from > 0) pieces.push({ text: '…', found: false });
  for (const [i, letter] of shown.entries()) {
    const last = pieces.at(-1);
    const isFound = found[i] === 1;
    if (last && last.found === isFound) last.text += letter;
    else pieces.push({ text: letter, found: isFound });
  }
  if (from + most < letters.length) pieces.push({ text: '…', found: false });
  return pieces;
}

/** The letter with which the first of the words ends; 0 when there is none. */
function firstOf(letters: readonly string[], wanted: Wanted): number {
  const longest = Math.max(0, ...wanted.map((word) => word.length));
  let tail = '';
  for (const [i, letter] of letters.entries()) {
    const part = comparable(letter);
    if (part === '') continue;
    tail = (tail + part).slice(-longest - part.length);
    if (wanted.some((word) => tail.includes(word))) return Math.max(0, i - longest);
  }
  return 0;
}

/** Which letters are part of one of the words: 1. */
function foundIn(letters: readonly string[], wanted: Wanted): Uint8Array {
  // A letter may be none, one or several where texts are compared.
  const at: number[] = [];
  let compared = '';
  for (const [i, letter] of letters.entries()) {
    const part = comparable(letter);
    for (let n = 0; n < part.length; n++) at.push(i);
    compared += part;
  }
  const found = new Uint8Array(letters.length);
  for (const word of wanted) {
    for (let i = compared.indexOf(word); i >= 0; i = compared.indexOf(word, i + word.length))
      found.fill(1, at[i] ?? 0, (at[i + word.length - 1] ?? 0) + 1);
  }
  return found;
}
