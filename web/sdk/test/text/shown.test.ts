/** Names and emoji as they are shown, as written down in the golden vectors. */

import { expect, test } from 'vitest';
import { emojiAlone, shortened, shownName } from '../../src/text/index.ts';
import { vectors } from './vectors.ts';

test.each(vectors<{ text: string; shown: string }>('names'))('name: $name', ({ text, shown }) => {
  expect(shownName(text)).toBe(shown);
  expect(shownName(shown)).toBe(shown);
});

test.each(vectors<{ text: string; emoji: number }>('emoji'))('emoji: $name', ({ text, emoji }) => {
  expect(emojiAlone(text, 3)).toBe(emoji);
});

test('a shortened text ends with a whole letter', () => {
  expect(shortened('short', 5)).toBe('short');
  expect(shortened('longer', 5)).toBe('longe…');
  expect(shortened('ab👩‍👩‍👧cd', 4)).toBe('ab…');
  expect(shortened('ab👩‍👩‍👧cd', 7)).toBe('ab👩‍👩‍👧…');
  expect(shortened('e\u0301'.repeat(9), 3)).toBe('e\u0301…');
  expect([...shortened(`a${'\u0301'.repeat(500)}`, 10)].length).toBe(11);
});
