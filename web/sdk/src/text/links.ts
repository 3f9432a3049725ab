/** Where links stand in a text, and where they lead. */

import { ENDINGS } from './endings.ts';

export interface Link {
  /** In UTF-16 units. */
  readonly from: number;
  readonly to: number;
  /** As a browser opens it: https, http or mailto. */
  readonly href: string;
  /** What to show instead of the text, where its letters look like those of another host. */
  readonly shown?: string;
}

/** Letters of writing without spaces: a text may go on with them right behind a name. */
export const UNSPACED =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\u3005-\\u3007\\u30fc';
const LETTER = '[\\p{L}\\p{M}\\p{N}]';
const SPACED = `(?![\\x00-\\x7f${UNSPACED}])${LETTER}`;

/** Spaces, what can't be seen, quotes, and the punctuation of writing without spaces and of Arabic and Indic writing. */
export const ENDS =
  '\\s\\p{Cc}\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff"<>`\\\\“”„«»‹›…\\u060c\\u061b\\u061f\\u06d4\\u0964\\u0965\\u3000-\\u3004\\u3008-\\u3020\\u3030\\u303d\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65';

/** A scheme, or letters of a name in one piece. Takes all of them, so that nothing is looked at twice. */
const NEXT = new RegExp(`(https?)://|(?:[a-z0-9%+]|${SPACED})(?:[a-z0-9._%+-]|${SPACED})*`, 'giu');
const HOST = new RegExp(`(?:[a-z0-9._-]|(?![\\x00-\\x7f])${LETTER})+`, 'iuy');
const AUTHORITY = new RegExp(`[^/?#${ENDS}]*`, 'uy');
const PORT = /:\d{1,5}(?!\d)/y;
const TAIL = new RegExp(`[/?#][^${ENDS}]*`, 'uy');
const BARE = new RegExp(`^(?:(?:[a-z0-9-]|${SPACED})+\\.)+(?:[a-z0-9-]|${SPACED})+$`, 'iu');
const WRITTEN_ON = new RegExp(`^([a-z0-9-]+)[${UNSPACED}]`, 'iu');
/** What a bare name or an address of mail doesn't stand right behind. */
const JOINS = /[@/\\$#&=~?._-]/;
const TRAILING = /[.,;:!?'’‘*_~([{—–]$/;
const PAIRS = { ')': '(', ']': '[', '}': '{' } as const;
const SCHEMES = new Set(['http:', 'https:', 'mailto:']);

/** The links of a text, in order. */
export function findLinks(text: string): Link[] {
  const found: Link[] = [];
  if (!/[.:@]/.test(text)) return found;
  const next = new RegExp(NEXT);
  for (let match = next.exec(text); match; match = next.exec(text)) {
    const from = match.index;
    const end = from + match[0].length;
    const link = match[1] !== undefined ? address(text, from, end) : named(text, from, end);
    if (link) found.push(link);
    // Nothing of what was an address is a link of its own.
    next.lastIndex = link?.to ?? (match[1] !== undefined ? taken(AUTHORITY, text, end) : end);
  }
  return found;
}

/** The end of what a sticky pattern takes from here; the place itself when it takes nothing. */
function taken(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 0);
}

/** A link that begins with its scheme; the host stands at `at`. */
function address(text: string, from: number, at: number): Link | undefined {
  // What stands before an @ looks like the host, and isn't.
  if (text.slice(at, taken(AUTHORITY, text, at)).includes('@')) return undefined;
  const host = hostOf(text.slice(at, taken(HOST, text, at)));
  return host === '' ? undefined : whole(text, from, at, host, '');
}

/** The part of these letters that is a host: what follows without a space is not. */
function hostOf(letters: string): string {
  const labels = letters.split('.');
  for (const [n, label] of labels.entries()) {
    const ascii = WRITTEN_ON.exec(label)?.[1];
    if (ascii === undefined || (n < labels.length - 1 && !isEnding(ascii))) continue;
    return [...labels.slice(0, n), ascii].join('.').replace(/[.-]+$/, '');
  }
  return letters.replace(/[.-]+$/, '');
}

/** A link without a scheme: an address of mail, or a name that looks like the web's. */
function named(text: string, from: number, end: number): Link | undefined {
  const letters = text.slice(from, end);
  if (text[end] === '@') return mail(text, from, end);
  if (!letters.includes('.') || JOINS.test(text[from - 1] ?? '')) return undefined;
  const host = letters.replace(/[.-]+$/, '');
  if (!BARE.test(host) || !isWeb(host)) return undefined;
  // A call of something in a program.
  if (text[from + letters.length] === '(') return undefined;
  return whole(text, from, from, host, 'https://');
}

function isWeb(host: string): boolean {
  const ending = host.slice(host.lastIndexOf('.') + 1);
  if (/^www\./i.test(host))
    return /^(?:[^\x20-\x7e]|[a-z]){2,}$/i.test(ending) && host.split('.').length > 2;
  // After the dot of a sentence comes a capital letter.
  if (ending !== ending.toLowerCase() && host !== host.toUpperCase()) return false;
  // Also where the ending alone is a word, as in co.in.
  return isEnding(ending) || /\.(?:co|com|org|net|gov|edu|ac)\.[a-z]{2}$/i.test(host);
}

const isEnding = (label: string): boolean => ENDINGS.has(label.toLowerCase());

function mail(text: string, from: number, at: number): Link | undefined {
  const local = /[a-z0-9_%+-][a-z0-9._%+-]*$/i.exec(text.slice(Math.max(from, at - 64), at))?.[0];
  if (local === undefined) return undefined;
  let begin = at - local.length;
  if (begin > from && !/[.]/.test(text[begin - 1] ?? '')) return undefined;
  if (JOINS.test(text[begin - 1] ?? '')) return undefined;
  const host = hostOf(text.slice(at + 1, taken(HOST, text, at + 1)));
  const end = at + 1 + host.length;
  if (
    !/^(?:[a-z0-9-]+\.)+[a-z]{2,}$/i.test(host) ||
    /^[@_]|^:[a-z]/i.test(text.slice(end, end + 2))
  )
    return undefined;
  const href = safeLink(`mailto:${text.slice(begin, end)}`);
  if (text.slice(Math.max(0, begin - 7), begin).toLowerCase() === 'mailto:') begin -= 7;
  return href === undefined ? undefined : { from: begin, to: end, href };
}

/** A link to this host with what belongs to it: a port, a path. */
function whole(
  text: string,
  from: number,
  at: number,
  host: string,
  scheme: string,
): Link | undefined {
  const end = at + host.length;
  const port = taken(PORT, text, end);
  let value = text.slice(from, taken(TAIL, text, port));
  // The end of a text that was written as a link.
  const closed = value.indexOf('](');
  if (closed >= 0) value = value.slice(0, closed);
  value = untrailed(value, end - from);
  const to = from + value.length;
  const href = safeLink(scheme + value);
  if (href === undefined) return undefined;
  const shown = looksLikeAnother(host)
    ? text.slice(from, at) + new URL(href).host + text.slice(port, to)
    : undefined;
  return shown === undefined ? { from, to, href } : { from, to, href, shown };
}

/** Without the punctuation of the sentence around it, and parentheses that were opened before. */
function untrailed(value: string, least: number): string {
  const depth = { ')': 0, ']': 0, '}': 0 };
  for (const sign of value) {
    if (sign === ')' || sign === ']' || sign === '}') depth[sign]--;
    for (const close of [')', ']', '}'] as const) if (PAIRS[close] === sign) depth[close]++;
  }
  let to = value.length;
  for (; to > least; to--) {
    const last = value[to - 1] ?? '';
    if (last === ')' || last === ']' || last === '}') {
      if (depth[last] >= 0) break;
      depth[last]++;
    } else if (TRAILING.test(last)) {
      for (const close of [')', ']', '}'] as const) if (PAIRS[close] === last) depth[close]--;
    } else break;
  }
  return value.slice(0, to);
}

const SCRIPTS = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u];

/** Whether a host is written in letters that look like those of another. */
function looksLikeAnother(host: string): boolean {
  if (/^[\x20-\x7e]*$/.test(host)) return false;
  if (host.normalize('NFKC') !== host) return true;
  const labels = host.split('.');
  const ascii = /^[\x20-\x7e]*$/.test(labels.at(-1) ?? '');
  return labels.some((label) => {
    const scripts = SCRIPTS.filter((script) => script.test(label)).length;
    // Under an ending in Latin letters, one of the others alone may pretend to be Latin.
    return scripts > 1 || (ascii && scripts === 1 && !SCRIPTS[0]?.test(label));
  });
}

/** The address as the browser would open it, if its scheme is one that messages may link to. */
export function safeLink(href: string): string | undefined {
  try {
    const url = new URL(href);
    return SCHEMES.has(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** What can't be seen, so that an address can't be hidden by it. */
const UNSEEN = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;

/** The address of a text that was written as a link; nothing when the text looks like an address of another host. */
export function labelledLink(href: string, label: string): string | undefined {
  const safe = /^[a-z]+:/i.test(href) ? safeLink(href) : undefined;
  if (safe === undefined) return undefined;
  const url = new URL(safe);
  // What stands before an @ looks like the host, and isn't.
  if (url.username !== '' || url.password !== '') return undefined;
  // Browsers take these dots for those between the parts of a host.
  const read = label
    .replace(UNSEEN, '')
    .replace(/[。．｡․]/g, '.')
    .normalize('NFKC');
  const says = (link: Link) =>
    url.host === '' ? link.href === safe : new URL(link.href).host === url.host;
  return findLinks(read).every(says) ? safe : undefined;
}
