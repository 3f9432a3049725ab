// What the keys and buttons for marks change in a text with a selection. Pure: returns the change.

export interface Change {
  /** What is replaced. */
  readonly from: number;
  readonly to: number;
  readonly put: string;
  /** What is selected then. */
  readonly select: readonly [number, number];
}

export type Mark = '**' | '*' | '~~' | '`';

/** Puts the marks around what is selected, or takes them off when they are there. */
export function marked(text: string, from: number, to: number, mark: Mark): Change {
  const size = mark.length;
  // Marks next to a space would format nothing.
  const picked = text.slice(from, to);
  from += picked.length - picked.trimStart().length;
  to = Math.max(from, to - (picked.length - picked.trimEnd().length));
  const inside = text.slice(from, to);
  if (has(inside, mark)) {
    const put = inside.slice(size, -size);
    return { from, to, put, select: [from, from + put.length] };
  }
  const [before, after] = [text.slice(0, from), text.slice(to)];
  if (begins(reversed(before.slice(-4)), mark) && begins(after, mark)) {
    const begin = from - size;
    return { from: begin, to: to + size, put: inside, select: [begin, begin + inside.length] };
  }
  return { from, to, put: mark + inside + mark, select: [from + size, to + size] };
}

/** Whether a text is in these marks: one asterisk is not a part of two. */
function has(text: string, mark: string): boolean {
  return (
    text.length > 2 * mark.length && begins(text, mark) && begins(reversed(text.slice(-4)), mark)
  );
}

function begins(text: string, mark: string): boolean {
  let run = 0;
  while (run < text.length && text[run] === mark[0]) run++;
  return run === mark.length || (mark[0] === '*' && run === 3);
}

const reversed = (text: string): string => [...text].reverse().join('');

/** Puts this before every line of what is selected, or takes it off when all have it. */
export function prefixed(text: string, from: number, to: number, prefix: '> ' | '- '): Change {
  const begin = text.lastIndexOf('\n', from - 1) + 1;
  const next = text.indexOf('\n', to);
  const end = next < 0 ? text.length : next;
  const lines = text.slice(begin, end).split('\n');
  const off = lines.every((line) => line.startsWith(prefix));
  const put = lines.map((line) => (off ? line.slice(prefix.length) : prefix + line)).join('\n');
  const caret = begin + put.length;
  return { from: begin, to: end, put, select: from === to ? [caret, caret] : [begin, caret] };
}

/** Makes code of what is selected: of a part of a line by backticks, of lines by a fence around them. */
export function code(text: string, from: number, to: number): Change {
  const inside = text.slice(from, to);
  if (!inside.includes('\n')) return marked(text, from, to, '`');
  const before = from > 0 && text[from - 1] !== '\n' ? '\n' : '';
  const after = to < text.length && text[to] !== '\n' ? '\n' : '';
  const begin = from + before.length + 4;
  const put = `${before}\`\`\`\n${inside}\n\`\`\`${after}`;
  return { from, to, put, select: [begin, begin + inside.length] };
}

const ADDRESS = /^(https?:\/\/|mailto:)\S+$/i;

/** Makes a link of what is selected; what is missing, text or address, is where the caret goes. */
export function linked(text: string, from: number, to: number): Change {
  const inside = text.slice(from, to);
  if (ADDRESS.test(inside)) {
    return { from, to, put: `[](${inside})`, select: [from + 1, from + 1] };
  }
  const begin = from + inside.length + 3;
  return { from, to, put: `[${inside}](https://)`, select: [begin, begin + 'https://'.length] };
}

/** Whether marks at this place would be code: after an open fence, or an open backtick of the line. */
export function isInCode(text: string, at: number): boolean {
  const before = text.slice(0, at);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const isOdd = (parts: readonly string[]) => parts.length % 2 === 0;
  return isOdd(`\n${before}`.split('\n```')) || isOdd(line.replaceAll('```', '').split('`'));
}
