/** Mentions while writing: what is being completed, and which names in the finished text mean somebody. */

import type { Mention, User } from '../model.ts';
import { ENDS, findLinks, UNSPACED } from './links.ts';
import { marksOf, type Span } from './marks.ts';

/** What stands before an @ in one piece with it is an address on the web. */
const ADDRESS = /:\/\/|^www\.|^[^@]*[\p{L}\p{N}]\.\p{L}{2,}(:\d+)?[/?#]/iu;
const PIECE = new RegExp(`[^${ENDS}]*$`, 'u');

/** A letter with which an @ or a name makes one word. Writing without spaces goes on right behind a word. */
const JOINS = `(?![${UNSPACED}\\ufe00-\\ufe0f\\u20e3])[\\p{L}\\p{M}\\p{N}_]`;
const BEFORE = `(?<!${JOINS}|@)`;
/** All that may stand in a name, so that the beginning of a longer one is not taken for it. */
const NAMES = new RegExp(`${BEFORE}@([a-z][a-z0-9._-]*)`, 'gu');
/** What makes a longer word of a name, or the address of somebody elsewhere. */
const GOES_ON = new RegExp(`@|${JOINS}`, 'uy');
const BEGUN = new RegExp(`${BEFORE}@([a-z0-9._-]{0,32})$`, 'u');
const MOST = 100;

export interface Begun {
  /** Where the @ stands, in UTF-16 units. */
  readonly at: number;
  readonly letters: string;
}

/** The mention that is being written before the caret. */
export function begunMention(text: string, caret: number): Begun | undefined {
  const match = BEGUN.exec(text.slice(Math.max(0, caret - 40), caret));
  if (!match) return undefined;
  const at = caret - match[0].length;
  return inAddress(text, at) || inBegunCode(text, at) ? undefined : { at, letters: match[1] ?? '' };
}

/** Whether the @ at this place is part of an address. */
function inAddress(text: string, at: number): boolean {
  return ADDRESS.test(PIECE.exec(text.slice(Math.max(0, at - 2_000), at))?.[0] ?? '');
}

function inBegunCode(text: string, at: number): boolean {
  return text.slice(text.lastIndexOf('\n', at) + 1, at).split('`').length % 2 === 0;
}

/** The mentions of a text: names of members, and everyone where the writer may say so. */
export function findMentions(
  text: string,
  members: ReadonlyMap<string, User>,
  everyone: boolean,
): Mention[] {
  const found: Mention[] = [];
  const code = codeIn(text);
  let scalars = 0;
  let units = 0;
  for (const match of text.matchAll(NAMES)) {
    const at = match.index;
    const named = whoIs(match[1] ?? '', members, everyone);
    if (!named || inAddress(text, at)) continue;
    GOES_ON.lastIndex = at + 1 + named.letters;
    if (GOES_ON.test(text)) continue;
    if (code.some(({ from, to }) => from <= at && at < to)) continue;
    while (units < at) {
      units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
      scalars++;
    }
    found.push({ start: scalars, length: named.letters + 1, who: named.who });
    if (found.length === MOST) break;
  }
  return found;
}

/** Where a text is code, in which an @ means something else. */
function codeIn(text: string): readonly Span[] {
  if (!text.includes('`')) return [];
  const { blocks, styles } = marksOf(text, { solid: findLinks(text), link: () => undefined });
  return [
    ...blocks.filter(({ type }) => type === 'code'),
    ...styles.filter(({ style }) => style === 'code'),
  ];
}

function whoIs(
  letters: string,
  members: ReadonlyMap<string, User>,
  everyone: boolean,
): { letters: number; who: Mention['who'] } | undefined {
  // A name may end in a dot, and a sentence too: the longest that is somebody counts.
  for (let name = letters; name !== ''; name = name.slice(0, -1)) {
    if (everyone && name === 'everyone') return { letters: name.length, who: { type: 'everyone' } };
    const user = members.get(name);
    if (user) return { letters: name.length, who: { type: 'user', user: user.id } };
    if (!/[._-]$/.test(name)) return undefined;
  }
  return undefined;
}
