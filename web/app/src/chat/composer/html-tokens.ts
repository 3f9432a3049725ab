// Reads HTML from a clipboard as a list of tags and texts. The page's policy (trusted types) keeps the browser's own
// parser from texts that come from elsewhere; nothing here makes an element. One pass, in linear time.

export type Token =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'open'; readonly name: string; readonly attributes: Attributes }
  | { readonly type: 'close'; readonly name: string };

export type Attributes = ReadonlyMap<string, string>;

/** What lies in these is no text to read. */
const SKIPPED = new Set(['script', 'style', 'title', 'head', 'template', 'noscript', 'svg']);

export function* htmlTokens(html: string): Generator<Token> {
  let at = 0;
  while (at < html.length) {
    const tag = html.indexOf('<', at);
    const end = tag < 0 ? html.length : tag;
    if (end > at) yield { type: 'text', text: unescaped(html.slice(at, end)) };
    if (tag < 0) return;
    at = tag;
    const next = html[tag + 1] ?? '';
    if (html.startsWith('<!--', tag)) {
      const close = html.indexOf('-->', tag + 4);
      if (close < 0) return;
      at = close + 3;
    } else if (/[a-zA-Z/!?]/.test(next)) {
      const close = tagEnd(html, tag + 1);
      if (close < 0) return;
      at = close + 1;
      const token = tagOf(html.slice(tag + 1, close));
      if (!token) continue;
      if (token.type === 'open' && SKIPPED.has(token.name)) at = after(html, token.name, at);
      else yield token;
    } else {
      yield { type: 'text', text: '<' };
      at = tag + 1;
    }
  }
}

/** Where a tag ends: at the first `>` that is not in quotes. */
function tagEnd(html: string, from: number): number {
  let quote = '';
  for (let i = from; i < html.length; i++) {
    const char = html[i] ?? '';
    if (quote) {
      if (char === quote) quote = '';
    } else if (char === '>') return i;
    else if ((char === '"' || char === "'") && html[i - 1] === '=') quote = char;
  }
  return -1;
}

function after(html: string, name: string, from: number): number {
  const close = new RegExp(`</${name}`, 'gi');
  close.lastIndex = from;
  return close.exec(html)?.index ?? html.length;
}

const NAME = /^(\/?)([a-zA-Z][a-zA-Z0-9:-]*)/;
const ATTRIBUTE = /([^\s=/"'>]+)(?:=(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g;

function tagOf(inside: string): Token | undefined {
  const match = NAME.exec(inside);
  if (!match?.[2]) return undefined;
  const name = match[2].toLowerCase();
  if (match[1]) return { type: 'close', name };
  const attributes = new Map<string, string>();
  for (const [, key = '', double, single, bare] of inside
    .slice(match[0].length)
    .matchAll(ATTRIBUTE)) {
    attributes.set(key.toLowerCase(), unescaped(double ?? single ?? bare ?? ''));
  }
  return { type: 'open', name, attributes };
}

/** Those that programs write although they could write the character. */
const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  laquo: '«',
  raquo: '»',
  bull: '•',
  middot: '·',
  copy: '©',
  euro: '€',
  shy: '',
};

function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}));/gi, (all, ten, hex, name) => {
    if (name) return NAMED[String(name).toLowerCase()] ?? all;
    const code = ten ? Number(ten) : Number.parseInt(hex, 16);
    // Control characters are none that one can see, and half a pair is no character.
    const wrong = code > 0x10_ffff || code < 32 || (code >= 0xd800 && code < 0xe000);
    return wrong ? ' ' : String.fromCodePoint(code);
  });
}
