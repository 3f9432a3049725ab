// A message's text as parts to show: plain text, links, mentions, with what formats them. What comes out is data;
// nothing in a text can become markup.

import type { Mention } from '@parley/client';
import {
  type Block,
  emojiAlone,
  findLinks,
  type Link,
  labelledLink,
  type Marks,
  marksOf,
  mayFormat,
  type Span,
  shortened,
} from '@parley/client/text';

interface Looks {
  readonly bold?: boolean | undefined;
  readonly italic?: boolean | undefined;
  readonly strike?: boolean | undefined;
}

export type Segment = Looks &
  (
    | { readonly type: 'text'; readonly text: string; readonly code?: boolean | undefined }
    | { readonly type: 'link'; readonly text: string; readonly href: string }
    | {
        readonly type: 'mention';
        readonly text: string;
        /** Absent for everyone. */
        readonly user?: string | undefined;
      }
  );

export interface Part {
  readonly type: Block['type'];
  readonly language?: string | undefined;
  readonly segments: readonly Segment[];
}

/**
 * `mentions` count characters as Unicode scalar values; those that don't fit the text are passed over. `cut`: the text
 * goes on.
 */
export function parts(text: string, mentions: readonly Mention[] = [], cut = false): Part[] {
  const named = places(text, mentions);
  const links = findLinks(text).filter(
    (link) => !named.some((place) => place.from < link.to && link.from < place.to),
  );
  const specials = [...links, ...named].sort((a, b) => a.from - b.from);
  if (!mayFormat(text)) {
    // Most messages have no marks.
    if (specials.length === 0 && text !== '')
      return [{ type: 'text', segments: [{ type: 'text', text }] }];
    const painted = paint(text, { styles: [], links: [], hidden: [] }, specials);
    return [{ type: 'text', segments: segments(text, { from: 0, to: text.length }, painted) }];
  }
  const marks = marksOf(text, { solid: specials, link: labelledLink, cut });
  const painted = paint(text, marks, specials);
  return marks.blocks.map((block): Part => {
    const { type, from, to } = block;
    if (type === 'code')
      return {
        type,
        language: block.language,
        segments: [{ type: 'text', text: text.slice(from, to) }],
      };
    return { type, segments: segments(text, block, painted) };
  });
}

/** A text without what formats it. */
export function plainText(text: string): string {
  if (!mayFormat(text)) return text;
  const inside = (part: Part) => part.segments.map((segment) => segment.text).join('');
  return parts(text).map(inside).join('\n');
}

const BIT = { bold: 1, italic: 2, strike: 4, code: 8 } as const;

const HIDDEN = 16;

type Special = Place | Link | Marks['links'][number];

/** What each character of a text looks like, as bits, and which of the specials it is part of, from 1 on. */
interface Painted {
  readonly looks: Uint8Array;
  readonly which: Uint32Array;
  readonly specials: readonly Special[];
}

function paint(
  text: string,
  { styles, links, hidden }: Omit<Marks, 'blocks'>,
  others: readonly Special[],
): Painted {
  const looks = new Uint8Array(text.length);
  for (const [style, bit] of Object.entries(BIT)) {
    const here = styles.filter((one) => one.style === style);
    if (here.length === 0) continue;
    // Counted in and out, so that it doesn't matter how deep they stand in each other.
    const steps = new Int32Array(text.length + 1);
    for (const { from, to } of here) {
      steps[from] = (steps[from] ?? 0) + 1;
      steps[to] = (steps[to] ?? 0) - 1;
    }
    let depth = 0;
    for (let i = 0; i < looks.length; i++) {
      depth += steps[i] ?? 0;
      if (depth > 0) looks[i] = (looks[i] ?? 0) | bit;
    }
  }
  const which = new Uint32Array(text.length);
  // A link that was written as one leads where it says, also when its text looks like an address.
  const specials = [...others, ...links];
  for (const [n, { from, to }] of specials.entries())
    if (((looks[from] ?? 0) & BIT.code) === 0) which.fill(n + 1, from, to);
  for (const { from, to } of hidden) looks.fill(HIDDEN, from, to);
  return { looks, which, specials };
}

/** The pieces of a block that look the same throughout. */
function segments(text: string, { from, to }: Span, painted: Painted): Segment[] {
  const { looks, which, specials } = painted;
  const found: Segment[] = [];
  let piece = '';
  let look = 0;
  let special = 0;
  const close = () => {
    if (piece !== '') found.push(segment(piece, look, specials[special - 1]));
    piece = '';
  };
  let begun = from;
  for (let i = from; i < to; i++) {
    if (looks[i] === look && which[i] === special) continue;
    piece += text.slice(begun, i);
    begun = i;
    if (looks[i] === HIDDEN) {
      begun = i + 1;
      continue;
    }
    close();
    look = looks[i] ?? 0;
    special = which[i] ?? 0;
  }
  piece += text.slice(begun, to);
  close();
  return found;
}

function segment(text: string, look: number, special: Special | undefined): Segment {
  const looks: { -readonly [K in keyof Looks]: Looks[K] } = {};
  if (look & BIT.bold) looks.bold = true;
  if (look & BIT.italic) looks.italic = true;
  if (look & BIT.strike) looks.strike = true;
  if (look & BIT.code) return { type: 'text', text, code: true, ...looks };
  if (special && 'href' in special) {
    const shown = 'shown' in special ? special.shown : undefined;
    return { type: 'link', text: shown ?? text, href: special.href, ...looks };
  }
  if (!special) return { type: 'text', text, ...looks };
  const { who } = special.mention;
  return who.type === 'user'
    ? { type: 'mention', text, user: who.user, ...looks }
    : { type: 'mention', text, ...looks };
}

interface Place extends Span {
  readonly mention: Mention;
}

/** Where mentions stand in UTF-16 units, in order and not overlapping. */
function places(text: string, mentions: readonly Mention[]): Place[] {
  const found: Place[] = [];
  let units = 0;
  let scalars = 0;
  const walk = (to: number): boolean => {
    while (scalars < to && units < text.length) {
      units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
      scalars++;
    }
    return scalars === to;
  };
  for (const mention of mentions) {
    if (mention.start < scalars || mention.length < 1) continue;
    if (!walk(mention.start)) break;
    const from = units;
    if (!walk(mention.start + mention.length)) break;
    found.push({ from, to: units, mention });
  }
  return found;
}

/** How much of a long text is shown before somebody asks for the rest. */
const SHOWN_CHARS = 1_500;
const SHOWN_LINES = 20;

/** The beginning of a text that is too long to stand in a timeline; the text itself when it isn't. */
export function beginning(text: string): string {
  let end = text.length;
  if (end > 2 * SHOWN_CHARS) end = SHOWN_CHARS;
  let line = -1;
  for (let lines = 0; lines < SHOWN_LINES; lines++) {
    line = text.indexOf('\n', line + 1);
    if (line < 0 || line >= end) break;
  }
  // A few more lines than are shown are not worth a button.
  if (line >= 0 && line < end && text.slice(line, line + 4_000).split('\n').length > 5) end = line;
  if (end < text.length && isLowSurrogate(text.charCodeAt(end))) end--;
  return text.slice(0, end);
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** One line for lists, quotes and announcements, without what formats it. */
export function oneLine(text: string, limit = 140): string {
  const line = plainText(text.slice(0, 4 * limit))
    .replace(/\s+/gu, ' ')
    .trim();
  return shortened(line, limit);
}

/** One to three emoji and nothing else: shown large. */
export const isBigEmoji = (text: string): boolean => emojiAlone(text, 3) > 0;
