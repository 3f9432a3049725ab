// Mentions in what is written.

import type { User } from '@parley/client';
import { expect, test } from 'vitest';
import { begun, findMentions } from '../../src/chat/composer/mentions';

const bob: User = { id: 'b', name: 'bob' };
const dotted: User = { id: 'd', name: 'ann.lee' };
const members = new Map([bob, dotted].map((user) => [user.name, user]));
const names = (text: string, everyone = false) =>
  findMentions(text, members, everyone).map(({ start, length }) =>
    [...text].slice(start, start + length).join(''),
  );

test('names of members are mentions, also at the end of a sentence', () => {
  expect(names('hi @bob.')).toEqual(['@bob']);
  expect(names('@ann.lee, @bob!')).toEqual(['@ann.lee', '@bob']);
  expect(names('😀 @bob')).toEqual(['@bob']);
});

test('other things are not', () => {
  expect(names('mail@bob x@bob.example @bobby @nobody @@bob')).toEqual([]);
  expect(names('@everyone')).toEqual([]);
  expect(names('@everyone', true)).toEqual(['@everyone']);
});

test('a name in an address of the web is no mention', () => {
  for (const address of [
    'https://mastodon.social/@bob',
    'see (https://mastodon.social/@bob)',
    'https://x.example/?by=@bob',
    'mastodon.social/@bob',
    'www.example.org:@bob',
    'ftp://ann:pw/@bob',
  ]) {
    expect(names(address)).toEqual([]);
    expect(begun(address.replace(')', ''), address.replace(')', '').length)).toBeUndefined();
  }
  expect(names('https://mastodon.social/ @bob')).toEqual(['@bob']);
  expect(names('@ann.lee/@bob cc:@bob (@bob)')).toEqual(['@ann.lee', '@bob', '@bob', '@bob']);
});

test('a hundred are enough', () => {
  expect(names('@bob '.repeat(300)).length).toBe(100);
});

test('what is being written is completed', () => {
  expect(begun('hi @bo', 6)).toEqual({ at: 3, letters: 'bo' });
  expect(begun('@', 1)).toEqual({ at: 0, letters: '' });
  expect(begun('hi @bo there', 6)).toEqual({ at: 3, letters: 'bo' });
  expect(begun('mail@bo', 7)).toBeUndefined();
  expect(begun('hi', 2)).toBeUndefined();
});
