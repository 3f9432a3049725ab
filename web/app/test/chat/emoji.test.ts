// Emoji by name while writing, with the data that is shipped.

import { expect, test } from 'vitest';
import { emoji } from '../../build/emoji';
import { begunEmoji, emojiOf, endedEmoji, findEmoji } from '../../src/chat/composer/emoji';
import { readHabits, withRecent } from '../../src/chat/composer/emoji-habits';
import { toned } from '../../src/chat/composer/tones';

const all = emoji();
const begun = (text: string) => begunEmoji(text, text.length);
const ended = (text: string) => endedEmoji(text, text.length);
const offered = (letters: string) => findEmoji(all, letters, 6).map((found) => found.emoji);

test('a name is begun by a colon and two letters', () => {
  expect(begun(':ro')).toEqual({ at: 0, letters: 'ro' });
  expect(begun('off we go :Rocket')).toEqual({ at: 10, letters: 'rocket' });
  expect(begun('🚀:+1')).toEqual({ at: 2, letters: '+1' });
  expect(begunEmoji('a :ro b', 5)).toEqual({ at: 2, letters: 'ro' });
});

test('smileys, times, addresses, words and code are left alone', () => {
  const others = [
    ':D',
    ':-)',
    ':',
    'at 10:30',
    'https://xy',
    'std::vec',
    'note:so',
    '`a :ro',
    ': ro',
  ];
  for (const text of others) expect(begun(text), text).toBeUndefined();
  expect(begun('`a` :ro')).toEqual({ at: 4, letters: 'ro' });
  expect(begun('`a\n:ro')).toEqual({ at: 3, letters: 'ro' });
});

test('a second colon ends it', () => {
  expect(ended('go :rocket:')).toEqual({ at: 3, letters: 'rocket' });
  expect(ended(':+1:')).toEqual({ at: 0, letters: '+1' });
  for (const text of ['10:30:', '::', 'a:b:', ':ro', '`:rocket:']) {
    expect(ended(text), text).toBeUndefined();
  }
});

test('every emoji has a name of its own', () => {
  const names = all.flatMap(([, list]) => list.flatMap(([, , codes]) => codes.split(' ')));
  expect(names.length).toBeGreaterThan(1_800);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[\p{L}\p{N}_+-]+$/u);
  expect(['rocket', '+1', 'thumbsup', 'tada'].map((name) => emojiOf(all, name))).toEqual([
    '🚀',
    '👍️',
    '👍️',
    '🎉',
  ]);
  expect(emojiOf(all, 'rocke')).toBeUndefined();
});

test('what is called so comes first', () => {
  expect(offered('rocke')[0]).toBe('🚀');
  expect(offered('rock').slice(0, 2)).toEqual(['🪨', '🚀']);
  expect(offered('heart')[0]).toBe('❤️');
  expect(offered('thumb').slice(0, 2)).toEqual(['👍️', '👎️']);
  // By what it has to do with.
  expect(offered('birthday')).toContain('🎂');
  expect(offered('party')).toContain('🎉');
  expect(offered('zzzz')).toEqual([]);
  expect(findEmoji(all, 'a', 6).length).toBe(6);
});

test('a skin tone stands behind the first character', () => {
  expect(toned('👋', 5)).toBe('👋🏿');
  expect(toned('🧑‍🚀', 3)).toBe('🧑🏽‍🚀');
  expect(toned('✌️', 1)).toBe('✌🏻');
  expect(toned('👋', 0)).toBe('👋');
  const withTones = all.flatMap(([, list]) => list.filter(([, , , tones]) => tones === 1));
  const signs = withTones.map(([emoji]) => emoji);
  expect(signs.length).toBeGreaterThan(300);
  expect([signs.includes('👋'), signs.includes('🚀')]).toEqual([true, false]);
});

test('what was used last comes first, once', () => {
  let habits = readHabits(null);
  for (const emoji of ['a', 'b', 'a']) habits = withRecent(habits, emoji);
  expect(habits.recent).toEqual(['a', 'b']);
  for (let i = 0; i < 40; i++) habits = withRecent(habits, `${i}`);
  expect(habits.recent.length).toBe(24);
  expect(readHabits(JSON.stringify({ ...habits, tone: 4 }))).toEqual({ ...habits, tone: 4 });
  for (const odd of ['x', 'null', '[]', `{"recent":[1,"${'x'.repeat(99)}"],"tone":9}`])
    expect(readHabits(odd)).toEqual({ recent: [], tone: 0 });
});
