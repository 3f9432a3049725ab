/** Whom a text names, as written down in the golden vectors; and what is completed while writing. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { User } from '../../src/index.ts';
import { begunMention, findMentions } from '../../src/text/index.ts';
import { vectors } from './vectors.ts';

interface Vector {
  readonly people: readonly string[];
  readonly everyone: boolean;
  readonly text: string;
  readonly mentions: readonly { start: number; length: number; who: string | null }[];
}

const members = (names: readonly string[]) =>
  new Map(names.map((name): [string, User] => [name, { id: name, name }]));

test.each(vectors<Vector>('mentions'))('$name', ({ people, everyone, text, mentions }) => {
  const found = findMentions(text, members(people), everyone).map(({ start, length, who }) => ({
    start,
    length,
    who: who.type === 'user' ? who.user : null,
  }));
  expect(found).toEqual(mentions);
});

test('mentions stand in order within the text, and say the name', () => {
  const pieces = fc.constantFrom(
    '@',
    'bob',
    '@bob',
    '.',
    ' ',
    '`',
    '\n',
    '你',
    '😀',
    'https://',
    '/',
    'x',
    '\ud83d',
  );
  fc.assert(
    fc.property(fc.array(pieces), (parts) => {
      const characters = [...parts.join('')];
      let before = 0;
      for (const { start, length } of findMentions(parts.join(''), members(['bob']), true)) {
        expect(start).toBeGreaterThanOrEqual(before);
        before = start + length;
        expect(characters.slice(start, before).join('')).toBe('@bob');
      }
    }),
    { numRuns: 500 },
  );
});

test('a hundred are enough', () => {
  expect(findMentions('@bob '.repeat(300), members(['bob']), false).length).toBe(100);
});

test('what is being written is completed, but in code and addresses', () => {
  expect(begunMention('hi @bo', 6)).toEqual({ at: 3, letters: 'bo' });
  expect(begunMention('@', 1)).toEqual({ at: 0, letters: '' });
  expect(begunMention('hi @bo there', 6)).toEqual({ at: 3, letters: 'bo' });
  expect(begunMention('你好@bo', 5)).toEqual({ at: 2, letters: 'bo' });
  for (const text of [
    'mail@bo',
    'hi',
    '`@bo',
    'https://mastodon.social/@bo',
    'mastodon.social/@bo',
  ])
    expect(begunMention(text, text.length), text).toBeUndefined();
});
