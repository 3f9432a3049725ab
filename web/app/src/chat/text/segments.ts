// A message's text as parts to show: plain text, links, mentions. What comes out is data; nothing in a text can
// become markup.

import type { Mention } from '@parley/client';
import { find } from 'linkifyjs';

export type Segment =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'link'; readonly text: string; readonly href: string }
  | {
      readonly type: 'mention';
      readonly text: string;
      /** Absent for everyone. */
      readonly user?: string;
    };

const SCHEMES = new Set(['http:', 'https:', 'mailto:']);

/** `mentions` count characters as Unicode scalar values; those that don't fit the text are passed over. */
export function segments(text: string, mentions: readonly Mention[] = []): Segment[] {
  const parts: Segment[] = [];
  let done = 0;
  for (const { from, to, mention } of places(text, mentions)) {
    pushLinks(parts, text.slice(done, from));
    const name = text.slice(from, to);
    parts.push(
      mention.who.type === 'user'
        ? { type: 'mention', text: name, user: mention.who.user }
        : { type: 'mention', text: name },
    );
    done = to;
  }
  pushLinks(parts, text.slice(done));
  return parts;
}

interface Place {
  readonly from: number;
  readonly to: number;
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

function pushLinks(parts: Segment[], text: string): void {
  if (text === '') return;
  let done = 0;
  for (const match of /[.:@]/.test(text) ? find(text) : []) {
    const href = safeLink(match.href);
    if (!match.isLink || href === undefined) continue;
    if (match.start > done) parts.push({ type: 'text', text: text.slice(done, match.start) });
    parts.push({ type: 'link', text: match.value, href });
    done = match.end;
  }
  if (done < text.length) parts.push({ type: 'text', text: text.slice(done) });
}

/** The address as the browser would open it, if it is of a kind that people may be led to. */
export function safeLink(href: string): string | undefined {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
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

/** One line for lists, quotes and announcements. */
export function oneLine(text: string, limit = 140): string {
  const line = text
    .slice(0, 4 * limit)
    .replace(/\s+/gu, ' ')
    .trim();
  const letters = [...line];
  return letters.length > limit ? `${letters.slice(0, limit).join('')}…` : line;
}

/** Pictures, flags, and what joins and colours them. */
const EMOJI_ONLY =
  /^(?:\p{Extended_Pictographic}|[\u{1f1e6}-\u{1f1ff}\u{1f3fb}-\u{1f3ff}]|\u200d|\ufe0f|\s)+$/u;
const LETTERS = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** One to three emoji and nothing else: shown large. */
export function isBigEmoji(text: string): boolean {
  if (text.length > 60 || !EMOJI_ONLY.test(text)) return false;
  const letters = [...LETTERS.segment(text)].filter(({ segment }) => segment.trim() !== '');
  return letters.length >= 1 && letters.length <= 3;
}
