/**
 * What people and groups are called, as it is shown. Servers refuse what shows
 * nothing or hides something; what was there before, or comes from elsewhere, is
 * held to it here.
 */

/** What shows nothing, turns the order of others, is nobody's or somebody's own: from and to. */
const HIDDEN: readonly (readonly [from: number, to: number])[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xd800, 0xf8ff],
  [0xfdd0, 0xfdef],
  [0xfe00, 0xfe0d],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe001f],
  [0xe0080, 0x10ffff],
];
const SPACE = /[\s\p{Cc}]/u;
const MARK = /[\u0300-\u036f]/;

const isHidden = (code: number): boolean =>
  (code & 0xfffe) === 0xfffe || HIDDEN.some(([from, to]) => from <= code && code <= to);
const isJoiner = (code: number): boolean => code === 0x200c || code === 0x200d;
const isVariation = (code: number): boolean => code === 0xfe0e || code === 0xfe0f;
const isTag = (code: number): boolean => 0xe0020 <= code && code <= 0xe007f;
/** Joiners shape letters of other scripts and emoji; in Latin they are only a difference. */
const takesJoiner = (code: number): boolean => code > 0x7f && !isHidden(code) && !isJoiner(code);
const takesVariation = (code: number): boolean =>
  /[0-9#*]/.test(String.fromCodePoint(code)) || (takesJoiner(code) && !isVariation(code));

/** Whether this character may be shown where it stands. */
function isShown(code: number, before: number, after: number): boolean {
  if (isJoiner(code)) return takesJoiner(before) && takesJoiner(after);
  if (isVariation(code)) return takesVariation(before);
  // Flags of regions are spelled out behind a black flag.
  if (isTag(code)) return before === 0x1f3f4 || isTag(before);
  return !isHidden(code);
}

/** A name or title for one line; empty when there is nothing of it to see. */
export function shownName(name: string): string {
  let line = '';
  let before = 0;
  let something = false;
  const characters = [...name];
  for (const [i, character] of characters.entries()) {
    const code = character.codePointAt(0) ?? 0;
    if (SPACE.test(character) && code !== 0xfeff) {
      if (before !== 0x20 && line !== '') line += ' ';
      before = 0x20;
    } else if (isShown(code, before, characters[i + 1]?.codePointAt(0) ?? 0)) {
      line += character;
      before = code;
      something ||=
        code !== 0x2800 &&
        !MARK.test(character) &&
        !isJoiner(code) &&
        !isVariation(code) &&
        !isTag(code);
    }
  }
  return something ? line.trim() : '';
}
