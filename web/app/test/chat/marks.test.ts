// What formats a text, what doesn't, and that nothing is lost or slow whatever is written.

import { describe, expect, test } from 'vitest';
import { oneLine, parts, plainText, type Segment } from '../../src/chat/text/segments';

/** Written short: b, i, s for looks, c for code, -> for links. */
function short(segment: Segment): string {
  const looks = [
    segment.bold && 'b',
    segment.italic && 'i',
    segment.strike && 's',
    segment.type === 'text' && segment.code && 'c',
  ].filter(Boolean);
  const to = segment.type === 'link' ? `->${segment.href}` : segment.type === 'mention' ? '@' : '';
  const marks = looks.join('') + to;
  return marks === '' ? segment.text : `{${marks} ${segment.text}}`;
}
const inline = (text: string) => {
  const [part, ...others] = parts(text);
  expect(others).toEqual([]);
  return part?.segments.map(short).join('') ?? '';
};
const blocks = (text: string, cut = false) =>
  parts(text, [], cut).map((part) => `${part.type}: ${part.segments.map(short).join('')}`);

describe('within a line', () => {
  test.each([
    ['**bold** and *italic*', '{b bold} and {i italic}'],
    ['_italic_, ~~gone~~', '{i italic}, {s gone}'],
    ['`code *not italic*`', '{c code *not italic*}'],
    ['`` a`b ``', '{c a`b}'],
    ['***both***', '{bi both}'],
    ['**bold *both* bold**', '{b bold }{bi both}{b  bold}'],
    ['*italic **both***', '{i italic }{bi both}'],
    ['**bold *both***', '{b bold }{bi both}'],
    ['~~**all _of_ it**~~', '{bs all }{bis of}{bs  it}'],
    ['(*this*)', '({i this})'],
    ['over\ntwo *lines\nof* it', 'over\ntwo {i lines\nof} it'],
    ['[a page](https://example.com/x)', '{->https://example.com/x a page}'],
    ['[**loud**](https://example.com/)', '{b->https://example.com/ loud}'],
    ['[wiki](https://example.com/a_(b)) end', '{->https://example.com/a_(b) wiki} end'],
    ['[mail](mailto:a@b.example)', '{->mailto:a@b.example mail}'],
    ['**https://example.com/a_b_c**', '{b->https://example.com/a_b_c https://example.com/a_b_c}'],
    ['这是**重要**的', '这是{b 重要}的'],
    ['هذا **مهم** جدا', 'هذا {b مهم} جدا'],
  ])('%s', (text, expected) => expect(inline(text)).toBe(expected));
});

test('what formats nothing stays as it is', () => {
  for (const text of [
    '*',
    '**',
    '****',
    '* a list',
    '2*3*4 = 24',
    '2 * 3 * 4',
    '2**3**4',
    'snake_case_name and __init__',
    '**unclosed',
    'unopened**',
    '`unclosed',
    '``',
    '~tilde~',
    '¯\\_(ツ)_/¯',
    '[no link]',
    '[no](link)',
    '[bad](javascript:alert(1))',
    '[bad](data:text/html,x)',
    '[](https://example.com/)',
    '[open](https://example.com',
    '[two\nlines](https://example.com/',
    '>no quote',
    '> ',
    '```\n```',
    '```\nunclosed',
    '*over\n\nan empty line*',
    ':-* and :-*',
    '"*"',
  ]) {
    const all = parts(text);
    expect(all.flatMap((part) => part.segments.map((one) => one.text)).join(''), text).toBe(text);
    for (const one of all.flatMap((part) => part.segments))
      expect([one.bold, one.italic, one.strike, 'code' in one && one.code], text).toEqual(
        one.type === 'text'
          ? [undefined, undefined, undefined, false]
          : [undefined, undefined, undefined, false],
      );
    expect(plainText(text)).toBe(text);
  }
});

test('a link can not say that it leads elsewhere', () => {
  const text = '[https://bank.example](https://evil.example/)';
  const found = parts(text)[0]?.segments ?? [];
  expect(found.map((one) => one.text).join('')).toBe(text);
  expect(inline('[bank.com](https://evil.example/)')).not.toContain('evil.example/ bank.com');
  expect(inline('[https://a.example/x](https://a.example/y)')).toBe(
    '{->https://a.example/y https://a.example/x}',
  );
});

test('quotes and code stand for themselves', () => {
  expect(blocks('before\n> quoted *it*\n> more\n\nafter')).toEqual([
    'text: before',
    'quote: quoted {i it}\nmore',
    'text: after',
  ]);
  expect(blocks('see:\n```ts\nconst a = **b**;\n\n  c\n```\nok')).toEqual([
    'text: see:',
    'code: const a = **b**;\n\n  c',
    'text: ok',
  ]);
  expect(blocks('> a\n>\n> b')).toEqual(['quote: a\n\nb']);
  expect(blocks('```\na\n```')).toEqual(['code: a']);
  // A text of which only the beginning is shown may end in the middle of code.
  expect(blocks('```\na\nb', true)).toEqual(['code: a\nb']);
  expect(blocks('```one line```')).toEqual(['text: {c one line}']);
});

test('mentions keep their place, whatever formats the text around them', () => {
  const who = { type: 'user', user: '01890abc-def0-7abc-8def-000000000b0b' } as const;
  const text = '😀 **hi @an_n_b** `x`';
  expect(parts(text, [{ start: 7, length: 7, who }])[0]?.segments.map(short)).toEqual([
    '😀 ',
    '{b hi }',
    '{b@ @an_n_b}',
    ' ',
    '{c x}',
  ]);
  const code = '`@ann` *@ann*';
  expect(
    parts(code, [
      { start: 1, length: 4, who },
      { start: 8, length: 4, who },
    ])[0]?.segments.map(short),
  ).toEqual(['{c @ann}', ' ', '{i@ @ann}']);
});

test('lists, quotes and notifications show the words alone', () => {
  expect(oneLine('**Hello** _there_, `x`\n> [a page](https://example.com/)')).toBe(
    'Hello there, x a page',
  );
  expect(plainText('a\n```\nb\n```')).toBe('a\nb');
});

test('a hundred thousand characters of marks are intact and done in a moment', () => {
  const most = 100_000;
  const fill = (piece: string) => piece.repeat(Math.ceil(most / piece.length)).slice(0, most);
  for (const piece of [
    '*',
    '_',
    '~',
    '`',
    '[',
    '](',
    '> ',
    '```\n',
    '*a ',
    '**a ',
    '[a](',
    '[b](a(',
  ]) {
    const text = fill(piece);
    const shown = parts(text)
      .flatMap((part) => part.segments.map((one) => one.text))
      .join('');
    // Only what formats may be missing.
    expect(shown.replace(/[*_~`[\]()> \n]/g, ''), piece).toBe(text.replace(/[*_~`[\]()> \n]/g, ''));
  }
  for (const piece of ['*', '_', '`', '[', '*a ', '**a '])
    expect(plainText(fill(piece))).toBe(fill(piece));
  // As deep as they can stand in each other, it stays a flat list.
  const deep = '*a '.repeat(16_000) + 'a* '.repeat(16_000);
  expect(parts(deep)[0]?.segments.length).toBeLessThan(10);
  const mixed = fill('*a _b ~~c `d` [e](https://f.example/) **g** > ');
  expect(parts(mixed).length).toBe(1);
  const lines = fill('> a\nb `c\n*d*\n');
  expect(parts(lines).length).toBeGreaterThan(1_000);
});
