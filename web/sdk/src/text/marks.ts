// Finds the marks that format a text: a small part of Markdown, as people write it in chats. Returns places in the text
// as it was written, so that a mark without a closing one stays visible. Every pass takes linear time.
//
//   **bold**  *italic*  _italic_  ~~strike~~  `code`  [text](https://…)
//   lines that begin with "> " are a quote; lines between ``` and ``` are code

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Block extends Span {
  readonly type: 'text' | 'quote' | 'code';
  /** Of code: what its fence says it is written in. */
  readonly language?: string | undefined;
}

export type Style = 'bold' | 'italic' | 'strike' | 'code';

export interface Marks {
  /** In order; what lies between them is not shown. */
  readonly blocks: readonly Block[];
  /** What is not shown because it only formats. */
  readonly hidden: readonly Span[];
  readonly styles: readonly (Span & { readonly style: Style })[];
  /** Texts that are links, with the address written beside them. */
  readonly links: readonly (Span & { readonly href: string })[];
}

export interface MarkOptions {
  /** Places where nothing formats: addresses, mentions. In order, not overlapping. */
  readonly solid: readonly Span[];
  /** Returns the address to open if this text may link to it. */
  readonly link: (href: string, text: string) => string | undefined;
  /** The text is the beginning of a longer one: code without an end goes up to the end of it. */
  readonly cut?: boolean;
}

/** A text without one of these has no marks. */
const ANY = /[*_~`[]|^>/m;

export const mayFormat = (text: string): boolean => ANY.test(text);

export function marksOf(text: string, options: MarkOptions): Marks {
  const hidden: Span[] = [];
  const found: Found = { hidden, styles: [], links: [] };
  const blocks = blocksOf(text, options.cut ?? false, hidden);
  for (const block of blocks) {
    if (block.type !== 'code') new Inline(text, block, options, found).run();
  }
  return { blocks, ...found };
}

interface Found {
  readonly hidden: Span[];
  readonly styles: (Span & { style: Style })[];
  readonly links: (Span & { href: string })[];
}

/* Blocks. */

const FENCE = /^```[\w+#.-]{0,20}[ \t]*$/;
const FENCE_END = /^```[ \t]*$/;

/** Quotes, code, and the text between them. Hides what begins the lines of a quote. */
function blocksOf(text: string, cut: boolean, hidden: Span[]): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  let plain = 0;
  let mayFence = true;
  const push = (block: Block, next: number) => {
    if (plain < block.from) blocks.push({ type: 'text', from: plain, to: at });
    blocks.push(block);
    at = plain = next;
  };
  while (at < text.length) {
    const end = lineEnd(text, at);
    if (
      mayFence &&
      text.startsWith('```', at) &&
      FENCE.test(text.slice(at, Math.min(end, at + 200)))
    ) {
      const close = fenceEnd(text, end + 1);
      if (close !== undefined || cut) {
        const to = close ? close.from - 1 : text.length;
        // An empty block of code is shown as it was written.
        if (text.slice(end + 1, to).trim() !== '') {
          const language = text.slice(at + 3, end).trim() || undefined;
          push({ type: 'code', from: end + 1, to, language }, close ? close.to + 1 : text.length);
          continue;
        }
      } else mayFence = false;
    }
    const quote = quoteAt(text, at);
    if (quote) {
      hidden.push(...quote.marks);
      push({ type: 'quote', from: at, to: quote.to }, quote.to + 1);
      continue;
    }
    at = end + 1;
  }
  if (plain < text.length) blocks.push({ type: 'text', from: plain, to: text.length });
  if (blocks.length === 1 && blocks[0]?.type === 'text') return blocks;
  return blocks.map((block) => trimmed(text, block)).filter(({ from, to }) => from < to);
}

/** The lines from here on that are a quote, if there is something in them. */
function quoteAt(text: string, at: number): { to: number; marks: Span[] } | undefined {
  if (!text.startsWith('> ', at)) return undefined;
  const marks: Span[] = [];
  let to = at;
  let something = false;
  for (let line = at; line < text.length; line = to + 1) {
    const end = lineEnd(text, line);
    // In the middle of a quote a line may be empty.
    if (!text.startsWith('> ', line) && !(text[line] === '>' && end === line + 1)) break;
    const from = Math.min(line + 2, end);
    something ||= text.slice(from, end).trim() !== '';
    marks.push({ from: line, to: from });
    to = end;
  }
  return something ? { to, marks } : undefined;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function fenceEnd(text: string, from: number): Span | undefined {
  for (let line = from; line < text.length; ) {
    const end = lineEnd(text, line);
    if (text.startsWith('```', line) && FENCE_END.test(text.slice(line, Math.min(end, line + 200))))
      return { from: line, to: end };
    line = end + 1;
  }
  return undefined;
}

/** Between blocks that stand for themselves empty lines are not needed. */
function trimmed(text: string, block: Block): Block {
  if (block.type !== 'text') return block;
  let { from, to } = block;
  while (from < to && text[from] === '\n') from++;
  while (to > from && text[to - 1] === '\n') to--;
  return { ...block, from, to };
}

/* Within a block. */

type Kind = '**' | '*' | '_' | '~~';
const STYLE: Record<Kind, Style> = { '**': 'bold', '*': 'italic', _: 'italic', '~~': 'strike' };

interface Open extends Span {
  readonly kind: Kind;
  /** The one of the same kind before it, as a place in the stack. */
  readonly before: number;
}

const TOKEN = /`+|\*+|_+|~+|\[|\]\(|\n\n|\n/g;
const WORD = /[\p{L}\p{N}\\]/u;
/** Writing with spaces between words: marks inside a word are none. */
const SPACED = /[\p{Script=Latin}\p{Nd}\\]/u;
const SPACE = /\s/u;
const MOST_HREF = 2_048;
const MOST_LABEL = 500;

class Inline {
  readonly #open: Open[] = [];
  readonly #last: Record<Kind, number> = { '**': -1, '*': -1, _: -1, '~~': -1 };
  #solid = 0;
  #bracket = -1;
  /** The place of the next space or closing parenthesis, as far as it was looked for. */
  #stop = -1;
  /** Where a run of as many backticks comes next, by the place of a run. */
  readonly #closing = new Map<number, number>();

  constructor(
    private readonly text: string,
    private readonly block: Span,
    private readonly options: MarkOptions,
    private readonly found: Found,
  ) {}

  run(): void {
    this.#pairTicks();
    const token = new RegExp(TOKEN);
    token.lastIndex = this.block.from;
    for (let match = token.exec(this.text); match; match = token.exec(this.text)) {
      const at = match.index;
      if (at >= this.block.to) return;
      const solid = this.#solidAt(at);
      if (solid) token.lastIndex = solid.to;
      else token.lastIndex = this.#token(at, match[0]);
    }
  }

  /** Handles a token. Returns where to go on. */
  #token(at: number, token: string): number {
    const end = at + token.length;
    switch (token[0]) {
      case '\n':
        this.#bracket = -1;
        // Nothing goes over an empty line.
        if (token.length > 1) this.#forget(0);
        return end;
      case '[':
        this.#bracket = at;
        return end;
      case ']':
        return this.#link(at) ?? end;
      case '`':
        return this.#code(at, token.length) ?? end;
      default:
        this.#emphasis(at, token);
        return end;
    }
  }

  #solidAt(at: number): Span | undefined {
    const { solid } = this.options;
    while ((solid[this.#solid]?.to ?? Number.POSITIVE_INFINITY) <= at) this.#solid++;
    const span = solid[this.#solid];
    return span && span.from <= at ? span : undefined;
  }

  #pairTicks(): void {
    const runs = /`+|\n\n?/g;
    runs.lastIndex = this.block.from;
    const waiting = new Map<number, number>();
    for (let match = runs.exec(this.text); match; match = runs.exec(this.text)) {
      if (match.index >= this.block.to) break;
      const { length } = match[0];
      if (match[0][0] === '\n') {
        // Nothing goes over an empty line.
        if (length > 1) waiting.clear();
        continue;
      }
      const before = waiting.get(length);
      if (before !== undefined) this.#closing.set(before, match.index);
      waiting.set(length, match.index);
    }
  }

  #code(at: number, ticks: number): number | undefined {
    const close = this.#closing.get(at);
    if (close === undefined) return undefined;
    let from = at + ticks;
    let to = close;
    // One space on both sides is for code that begins or ends with a backtick.
    const inside = this.text.slice(from, to);
    if (inside.trim() === '') return undefined;
    if (inside.startsWith(' ') && inside.endsWith(' ')) {
      from++;
      to--;
    }
    this.#hide(at, from);
    this.#hide(to, close + ticks);
    this.found.styles.push({ from, to, style: 'code' });
    return close + ticks;
  }

  #link(at: number): number | undefined {
    const from = this.#bracket + 1;
    this.#bracket = -1;
    if (from < 1 || at === from || at - from > MOST_LABEL) return undefined;
    const begin = at + 2;
    let stop = this.#stopFrom(begin);
    let href = this.text.slice(begin, Math.min(stop, begin + MOST_HREF + 1));
    // One pair of parentheses may be part of an address.
    if (stop - begin < MOST_HREF && href.includes('(') && this.text[stop] === ')') {
      const second = this.#stopFrom(stop + 1);
      if (this.text[second] === ')') {
        stop = second;
        href = this.text.slice(begin, Math.min(stop, begin + MOST_HREF + 1));
      }
    }
    if (stop >= this.block.to || this.text[stop] !== ')' || href.length > MOST_HREF)
      return undefined;
    const label = this.text.slice(from, at);
    const safe = label.trim() === '' ? undefined : this.options.link(href, label);
    if (safe === undefined) return undefined;
    this.#hide(from - 1, from);
    this.#hide(at, stop + 1);
    this.found.links.push({ from, to: at, href: safe });
    return stop + 1;
  }

  #stopFrom(from: number): number {
    if (this.#stop < from) {
      let at = from;
      while (at < this.block.to && this.text[at] !== ')' && !SPACE.test(this.text[at] ?? '')) at++;
      this.#stop = at;
    }
    return this.#stop;
  }

  #emphasis(at: number, run: string): void {
    const kinds = kindsOf(run);
    if (kinds.length === 0) return;
    const before = charBefore(this.text, this.block.from, at);
    const after = charAfter(this.text, this.block.to, at + run.length);
    const word = run[0] === '_' ? WORD : SPACED;
    let from = at;
    if (before !== '' && !SPACE.test(before) && !word.test(after)) {
      // The one that was opened last closes first.
      for (const kind of [...kinds].sort((a, b) => this.#last[b] - this.#last[a]))
        if (this.#close(kind, from)) from += kind.length;
      if (from > at) return;
    }
    if (after === '' || SPACE.test(after) || word.test(before)) return;
    for (const kind of kinds) {
      this.#open.push({ kind, from, to: from + kind.length, before: this.#last[kind] });
      this.#last[kind] = this.#open.length - 1;
      from += kind.length;
    }
  }

  #close(kind: Kind, at: number): boolean {
    const place = this.#last[kind];
    const open = this.#open[place];
    if (!open || open.to >= at) return false;
    this.#forget(place);
    this.#hide(open.from, open.to);
    this.#hide(at, at + kind.length);
    this.found.styles.push({ from: open.to, to: at, style: STYLE[kind] });
    return true;
  }

  /** What was begun from this place in the stack on was never closed. */
  #forget(place: number): void {
    while (this.#open.length > place) {
      const open = this.#open.pop();
      if (open) this.#last[open.kind] = open.before;
    }
  }

  #hide(from: number, to: number): void {
    this.found.hidden.push({ from, to });
  }
}

function kindsOf(run: string): Kind[] {
  switch (run) {
    case '*':
    case '**':
    case '_':
    case '~~':
      return [run];
    case '***':
      return ['**', '*'];
    default:
      return [];
  }
}

function charBefore(text: string, from: number, at: number): string {
  if (at <= from) return '';
  const low = text.charCodeAt(at - 1);
  const pair = low >= 0xdc00 && low <= 0xdfff && at - 2 >= from;
  return text.slice(pair ? at - 2 : at - 1, at);
}

function charAfter(text: string, to: number, at: number): string {
  if (at >= to) return '';
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}
