// What somebody copied from a page or a document, in the marks that format a message (see text/marks.ts): bold,
// italic, strike, code, links, quotes, and lists as lines. Everything else is left out; what comes out is only text.

import { type Attributes, htmlTokens } from './html-tokens';

interface Style {
  readonly bold: boolean;
  readonly italic: boolean;
  readonly strike: boolean;
  readonly code: boolean;
  readonly href: string;
}

type Flag = 'bold' | 'italic' | 'strike' | 'code';

interface Run extends Style {
  readonly text: string;
}

interface Line {
  readonly quoted: boolean;
  readonly fenced: boolean;
  /** What a list puts before it. */
  readonly prefix: string;
  readonly runs: Run[];
}

interface Frame {
  readonly name: string;
  readonly style: Style;
  readonly hidden: boolean;
  readonly pre: boolean;
  readonly quoted: boolean;
  /** Of a list: the number of its next item; 0 when they have none. */
  count: number;
}

/** Longer HTML is pasted as the plain text beside it. */
const MOST_HTML = 400_000;
const MOST_DEPTH = 256;
const MOST_HREF = 2_048;
const MOST_LABEL = 500;

const PLAIN: Style = { bold: false, italic: false, strike: false, code: false, href: '' };

const FLAGS: Readonly<Record<string, Flag>> = {
  b: 'bold',
  strong: 'bold',
  h1: 'bold',
  h2: 'bold',
  h3: 'bold',
  h4: 'bold',
  h5: 'bold',
  h6: 'bold',
  i: 'italic',
  em: 'italic',
  s: 'strike',
  del: 'strike',
  strike: 'strike',
  code: 'code',
  kbd: 'code',
  samp: 'code',
  tt: 'code',
};

const VOID = new Set(['br', 'hr', 'img', 'input', 'meta', 'link', 'wbr', 'col', 'source', 'area']);
/** Begin a line of their own. */
const BLOCKS = new Set(
  'div section article main header footer nav aside address figure figcaption dl dt dd tr li form table'.split(
    ' ',
  ),
);
/** Have an empty line around them. */
const SPACED = new Set('p h1 h2 h3 h4 h5 h6 ul ol blockquote pre'.split(' '));

/**
 * The text with marks, or nothing where there is nothing to mark: then the plain text
 * that was copied with it is closer to what was seen.
 */
export function richText(html: string): string | undefined {
  if (html.length > MOST_HTML) return undefined;
  const reader = new Reader();
  for (const token of htmlTokens(html)) {
    if (token.type === 'text') reader.text(token.text);
    else if (token.type === 'open') reader.open(token.name, token.attributes);
    else reader.close(token.name);
  }
  return reader.marked ? written(reader.lines) : undefined;
}

class Reader {
  readonly lines: Line[] = [];
  /** Something was found that plain text would lose. */
  marked = false;
  readonly #frames: Frame[] = [
    { name: '', style: PLAIN, hidden: false, pre: false, quoted: false, count: 0 },
  ];
  /** How many line ends come before the next text. */
  #breaks = 0;
  #prefix = '';
  #line: Line | undefined;

  get #top(): Frame {
    return this.#frames.at(-1) as Frame;
  }

  open(name: string, attributes: Attributes): void {
    if (name === 'li') this.#closeItem();
    if (SPACED.has(name) || BLOCKS.has(name)) {
      if (this.#top.name === 'p') this.#pop();
      this.#space(name);
    }
    if (name === 'br') this.#breaks++;
    else if (name === 'hr') this.#atLeast(2);
    else if ((name === 'td' || name === 'th') && this.#line && this.#breaks === 0) this.#put('\t');
    if (VOID.has(name) || this.#frames.length > MOST_DEPTH) return;
    const top = this.#top;
    if (name === 'li') this.#prefix = this.#item();
    this.#frames.push({
      name,
      style: styleOf(name, attributes, top.style),
      hidden: top.hidden || /display:\s*none/i.test(attributes.get('style') ?? ''),
      pre: top.pre || name === 'pre',
      quoted: top.quoted || name === 'blockquote',
      count: name === 'ol' ? Number.parseInt(attributes.get('start') ?? '1', 10) || 1 : 0,
    });
  }

  close(name: string): void {
    const at = this.#frames.findLastIndex((frame) => frame.name === name);
    if (at < 1) return;
    while (this.#frames.length > at) this.#pop();
  }

  text(text: string): void {
    const top = this.#top;
    if (top.hidden) return;
    if (top.pre) {
      const parts = text.replace(/\r\n?/g, '\n').split('\n');
      parts.forEach((part, i) => {
        if (i > 0) this.#breaks++;
        if (part) this.#put(part);
      });
      return;
    }
    const flat = text.replace(/[ \t\n\r\f]+/g, ' ');
    const starts = this.#breaks > 0 || !this.#line || this.#line.runs.length === 0;
    const follows = starts || (this.#line?.runs.at(-1)?.text.endsWith(' ') ?? true);
    const put = (follows ? flat.replace(/^ /, '') : flat).replaceAll('\u00a0', ' ');
    if (put) this.#put(put);
  }

  #put(text: string): void {
    const { style, pre, quoted } = this.#top;
    if (!this.#line || this.#breaks > 0) this.#begin(pre && !quoted, quoted);
    this.marked ||=
      pre || quoted || style.bold || style.italic || style.strike || style.code || !!style.href;
    this.#line?.runs.push({ ...(pre ? PLAIN : style), text });
  }

  #begin(fenced: boolean, quoted: boolean): void {
    // One line end leads to the next line, each more to an empty one.
    const empty = this.lines.length > 0 ? this.#breaks - 1 : 0;
    const last = this.#line;
    const both = { quoted: quoted && !!last?.quoted, fenced: fenced && !!last?.fenced };
    for (let i = 0; i < empty; i++) this.lines.push({ ...both, prefix: '', runs: [] });
    this.#line = { quoted, fenced, prefix: this.#prefix, runs: [] };
    this.marked ||= this.#prefix !== '';
    this.lines.push(this.#line);
    this.#breaks = 0;
    this.#prefix = '';
  }

  #pop(): void {
    const frame = this.#frames.pop();
    if (frame?.name === 'li') this.#prefix = '';
    if (frame) this.#space(frame.name);
  }

  #space(name: string): void {
    const inItem = this.#frames.some((frame) => frame.name === 'li');
    if (SPACED.has(name) && !inItem) this.#atLeast(2);
    else if (SPACED.has(name) || BLOCKS.has(name)) this.#atLeast(1);
  }

  #atLeast(breaks: number): void {
    if (this.lines.length > 0) this.#breaks = Math.max(this.#breaks, breaks);
  }

  /** An item that was not ended ends with the next of its list. */
  #closeItem(): void {
    const at = this.#frames.findLastIndex(({ name }) => ['li', 'ul', 'ol'].includes(name));
    if (this.#frames[at]?.name === 'li') while (this.#frames.length > at) this.#pop();
  }

  #item(): string {
    const lists = this.#frames.filter(({ name }) => name === 'ul' || name === 'ol');
    const list = lists.at(-1);
    const indent = '  '.repeat(Math.max(0, lists.length - 1));
    return `${indent}${list?.count ? `${list.count++}.` : '-'} `;
  }
}

function styleOf(name: string, attributes: Attributes, outer: Style): Style {
  let style = outer;
  const flag = FLAGS[name];
  if (flag) style = { ...style, [flag]: true };
  if (name === 'a') style = { ...style, href: hrefOf(attributes.get('href') ?? '') };
  const css = attributes.get('style') ?? '';
  const weight = /font-weight:\s*(bold|normal|\d+)/i.exec(css)?.[1];
  if (weight) style = { ...style, bold: weight === 'bold' || Number(weight) >= 600 };
  const slant = /font-style:\s*(italic|oblique|normal)/i.exec(css)?.[1];
  if (slant) style = { ...style, italic: slant !== 'normal' };
  if (/text-decoration(?:-line)?:[^;]*line-through/i.test(css)) style = { ...style, strike: true };
  return style;
}

/** An address that a message may link to. */
function hrefOf(href: string): string {
  if (!URL.canParse(href)) return '';
  const url = new URL(href);
  if (!['http:', 'https:', 'mailto:'].includes(url.protocol)) return '';
  const address = url.href.replaceAll('(', '%28').replaceAll(')', '%29');
  return address.length > MOST_HREF ? '' : address;
}

/* Writing. */

function written(lines: readonly Line[]): string {
  const all: string[] = [];
  let fenced = false;
  for (const line of lines) {
    if (line.fenced !== fenced) all.push('```');
    fenced = line.fenced;
    const text = fenced ? line.runs.map((run) => run.text).join('') : lineText(line.runs);
    all.push(line.quoted ? `> ${line.prefix}${text}`.trimEnd() : line.prefix + text);
  }
  if (fenced) all.push('```');
  return all.join('\n').trim();
}

function lineText(runs: readonly Run[]): string {
  return linksIn(runs).replace(/ +$/, '');
}

/** Runs that follow each other with the same value, each group made by `make`. */
function grouped<T>(
  runs: readonly Run[],
  of: (run: Run) => T,
  make: (value: T, group: readonly Run[]) => string,
): string {
  let text = '';
  for (let from = 0; from < runs.length; ) {
    const value = of(runs[from] as Run);
    let to = from + 1;
    while (to < runs.length && of(runs[to] as Run) === value) to++;
    text += make(value, runs.slice(from, to));
    from = to;
  }
  return text;
}

const linksIn = (runs: readonly Run[]): string =>
  grouped(
    runs,
    (run) => run.href,
    (href, group) => (href ? linkText(href, group) : marksIn(group, [...ORDER])),
  );

function linkText(href: string, runs: readonly Run[]): string {
  const plain = runs.map((run) => run.text).join('');
  const words = plain.trim();
  // An address stands for itself.
  const own = [href, href.replace(/\/$/, ''), href.replace(/^mailto:/, '')];
  if (!words || own.includes(words)) return plain;
  if (words.length > MOST_LABEL || /[[\]]/.test(words)) return `${plain.trimEnd()} (${href})`;
  const marked = marksIn(runs, [...ORDER]);
  return around(marked, '[', `](${href})`);
}

const ORDER = ['bold', 'italic', 'strike', 'code'] as const;

/** Marks one kind around what has it, the next kinds within. */
function marksIn(runs: readonly Run[], [flag, ...rest]: Flag[], inBold = false): string {
  if (!flag) return runs.map((run) => run.text).join('');
  return grouped(
    runs,
    (run) => run[flag],
    (on, group) => {
      const inside = marksIn(group, rest, inBold || (on && flag === 'bold'));
      if (!on || (flag === 'code' && inside.includes('`'))) return inside;
      const mark = { bold: '**', italic: inBold ? '_' : '*', strike: '~~', code: '`' }[flag];
      return around(inside, mark, mark);
    },
  );
}

/** Marks next to a space would format nothing: the space stays outside. */
function around(text: string, before: string, after: string): string {
  const words = text.trim();
  if (!words) return text;
  const at = text.indexOf(words);
  return text.slice(0, at) + before + words + after + text.slice(at + words.length);
}
