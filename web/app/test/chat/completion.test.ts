// The list of completions: when it opens, what is chosen in it, and what it makes of the text.

import { beforeEach, expect, test } from 'vitest';
import { Completion, type Match } from '../../src/chat/composer/completion.svelte';
import type { EmojiGroup } from '../../src/chat/composer/emoji';
import { findPeople } from '../../src/chat/composer/people';

const EMOJI: readonly EmojiGroup[] = [
  [
    5,
    [
      ['🚀', 'rocket', 'rocket'],
      ['🪨', 'rock', 'rock'],
    ],
  ],
];

const people = (letters: string): Match[] =>
  ['bob', 'bonnie', 'cid']
    .filter((name) => name.startsWith(letters))
    .map((name) => ({ id: name, put: `@${name}`, called: name, detail: `@${name}` }));

let loads: number;
let loading: () => Promise<readonly EmojiGroup[]>;
let completion: Completion;

beforeEach(() => {
  loads = 0;
  loading = () => Promise.resolve(EMOJI);
  completion = new Completion({
    people,
    emoji: () => {
      loads++;
      return loading();
    },
  });
});

/** A text with the caret at its `|`. */
function at(marked: string): { text: string; caret: number } {
  const caret = marked.indexOf('|');
  return { text: marked.replace('|', ''), caret };
}

const offered = () => completion.matches.map(({ id }) => id);
const settled = () => new Promise((done) => setTimeout(done));

test('an @ opens the list, letters narrow it, a space closes it', () => {
  completion.look(at('hi @|'));
  expect(offered()).toEqual(['bob', 'bonnie', 'cid']);
  expect(completion.kind).toBe('mention');
  completion.look(at('hi @bo|'));
  expect(offered()).toEqual(['bob', 'bonnie']);
  completion.look(at('hi @bo |'));
  expect(offered()).toEqual([]);
  expect(completion.kind).toBeUndefined();
  completion.look({ text: 'hi @bo', caret: undefined });
  expect(offered()).toEqual([]);
});

test('the choice goes around, and begins anew with other letters', () => {
  completion.look(at('@bo|'));
  completion.step(-1);
  expect(completion.chosen).toBe(1);
  completion.step(1);
  expect(completion.chosen).toBe(0);
  completion.step(1);
  // The caret was looked at again, nothing was written.
  completion.look(at('@bo|'));
  expect(completion.chosen).toBe(1);
  completion.look(at('@bon|'));
  expect(completion.chosen).toBe(0);
  completion.close();
  completion.step(1);
  expect(completion.chosen).toBe(0);
});

test('a name that is taken is followed by one space', () => {
  completion.look(at('hi @bo|'));
  expect(completion.take(0, 'hi @bo')).toEqual({ from: 3, to: 6, put: '@bob ', select: [8, 8] });
  expect(offered()).toEqual([]);
  completion.look(at('hi @bo| there'));
  expect(completion.take(1, 'hi @bo there')).toEqual({
    from: 3,
    to: 6,
    put: '@bonnie',
    select: [11, 11],
  });
  expect(completion.take(0, 'closed')).toBeUndefined();
});

test('an emoji is followed by nothing', async () => {
  completion.look(at('off :rocke|'));
  expect(offered()).toEqual([]);
  await settled();
  expect(offered()).toEqual(['🚀']);
  expect(completion.matches[0]?.detail).toBe(':rocket:');
  expect(completion.take(0, 'off :rocke')).toEqual({
    from: 4,
    to: 10,
    put: '🚀',
    select: [6, 6],
  });
  completion.look(at(':ro|'));
  await settled();
  expect(loads).toBe(1);
});

test('without the data nothing is offered, and it is asked for again', async () => {
  loading = () => Promise.reject(new Error('offline'));
  completion.look(at(':rock|'));
  await settled();
  expect(offered()).toEqual([]);
  loading = () => Promise.resolve(EMOJI);
  completion.look(at(':rock|'));
  await settled();
  expect(offered()).toEqual(['🪨', '🚀']);
});

test('a name with its second colon becomes the emoji', async () => {
  expect(await completion.ended(() => at('off :rocket:|'))).toEqual({ from: 4, to: 12, put: '🚀' });
  expect(await completion.ended(() => at('off :rocke:|'))).toBeUndefined();
  expect(await completion.ended(() => at('at 10:30:|'))).toBeUndefined();
});

test('what was written meanwhile is left alone', async () => {
  let now = at('off :rocket:|');
  const change = completion.ended(() => now);
  now = at('off :rocket: now|');
  expect(await change).toBeUndefined();
});

test('people are found by either name, the writer is not, and everyone comes last', () => {
  const users = [
    { id: '1', name: 'ann' },
    { id: '2', name: 'bob' },
    { id: '3', name: 'zoe' },
    { id: '4', name: 'art' },
  ];
  const group = { users, me: '4', called: (user: { name: string }) => user.name.toUpperCase() };
  const names = (letters: string, most = 6, everyone?: string) =>
    findPeople({ ...group, everyone }, letters, most).map(({ put }) => put);
  expect(names('')).toEqual(['@ann', '@bob', '@zoe']);
  expect(names('', 2)).toEqual(['@ann', '@bob']);
  expect(names('a')).toEqual(['@ann']);
  expect(names('e')).toEqual([]);
  expect(names('e', 6, 'all of you')).toEqual(['@everyone']);
  const called = { ...group, called: (user: { name: string }) => `Mx ${user.name}` };
  expect(findPeople(called, 'mx b', 6).map(({ called }) => called)).toEqual(['Mx bob']);
});
