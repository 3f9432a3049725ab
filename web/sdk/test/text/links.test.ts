/** Where links stand and lead, as written down in the golden vectors; and that nothing breaks them. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findLinks, labelledLink } from '../../src/text/index.ts';
import { vectors } from './vectors.ts';

interface Found {
  readonly text: string;
  readonly href: string;
  readonly shown?: string;
}

test.each(vectors<{ text: string; links: Found[] }>('links'))('$name', ({ text, links }) => {
  const found = findLinks(text).map(({ from, to, ...rest }) => ({
    text: text.slice(from, to),
    ...rest,
  }));
  expect(found).toEqual(links);
});

test.each(vectors<{ label: string; href: string; opens: string | null }>('labelled'))(
  'labelled: $name',
  ({ label, href, opens }) => expect(labelledLink(href, label) ?? null).toBe(opens),
);

const PIECES = [
  'https://',
  'http://',
  'www.',
  'example',
  '.',
  'com',
  '@',
  '/',
  ':',
  '8080',
  '(',
  ')',
  '](',
  '。',
  '看',
];
const MORE = [
  '😀',
  '👩\u200d👧',
  'é',
  'a',
  ' ',
  '\n',
  '_',
  '*',
  '-',
  '\\',
  '"',
  '\u202e',
  '\ud83d',
  '\udc00',
  '?',
  '#',
];

test('links stand in order within the text, are safe, and cut no character in half', () => {
  const texts = fc.oneof(
    fc.array(fc.constantFrom(...PIECES, ...MORE)).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      let before = 0;
      for (const { from, to, href } of findLinks(text)) {
        expect(from).toBeGreaterThanOrEqual(before);
        expect(to).toBeGreaterThan(from);
        expect(to).toBeLessThanOrEqual(text.length);
        for (const at of [from, to])
          expect(/^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1))).toBe(false);
        expect(href).toMatch(/^(https?|mailto):/);
        before = to;
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a hundred thousand characters are looked at in a moment', () => {
  for (const piece of [
    'a',
    'a.',
    '.',
    '@',
    'a@',
    'https://',
    'www.',
    '看',
    '/',
    'https://a)',
    '](',
    'a.com/(',
  ]) {
    const text = piece.repeat(Math.ceil(100_000 / piece.length));
    expect(() => findLinks(text)).not.toThrow();
  }
});
