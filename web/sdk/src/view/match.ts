/**
 * Whether a text has the words that somebody looks for, folded. Words may stand
 * inside others, so that writing without spaces (Chinese, Japanese) is found too.
 */

import { fold } from '../text/fold.ts';

/** What is looked for: all of these words. */
export type Wanted = readonly string[];

/** Most words of one search; the rest is not heeded. */
const WORDS = 16;

/** Nothing when there is nothing to look for. */
export function wantedWords(query: string): Wanted {
  const words = fold(query).split(/\s+/u);
  return [...new Set(words.filter((word) => word !== ''))].slice(0, WORDS);
}

/** Whether a text has all the words. */
export function hasAll(text: string, wanted: Wanted): boolean {
  if (wanted.length === 0) return false;
  const compared = fold(text);
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
    const part = fold(letter);
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
    const part = fold(letter);
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
