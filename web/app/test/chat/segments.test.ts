// Texts as they are shown: links that are safe, mentions where they stand, nothing lost.

import { safeLink } from '@parley/client/text';
import { expect, test } from 'vitest';
import { beginning, isBigEmoji, oneLine, parts } from '../../src/chat/text/segments';

const segments = (...of: Parameters<typeof parts>) => parts(...of).flatMap((part) => part.segments);
const whole = (text: string) =>
  segments(text)
    .map((part) => part.text)
    .join('');

test('links are found and everything else stays as it is', () => {
  expect(segments('see https://example.com/a?b=1, ok')).toEqual([
    { type: 'text', text: 'see ' },
    { type: 'link', text: 'https://example.com/a?b=1', href: 'https://example.com/a?b=1' },
    { type: 'text', text: ', ok' },
  ]);
  expect(segments('plain')).toEqual([{ type: 'text', text: 'plain' }]);
});

test('a host in letters of another writing is shown as it is opened', () => {
  expect(segments('*аpple.com*')).toEqual([
    { type: 'link', text: 'xn--pple-43d.com', href: 'https://xn--pple-43d.com/', italic: true },
  ]);
});

test('no other scheme becomes a link', () => {
  for (const text of [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)//https',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:msgbox(1)',
    'file:///etc/passwd',
    'ftp://example.com/x',
    'blob:https://example.com/x',
  ]) {
    for (const part of segments(text))
      if (part.type === 'link') expect(part.href).toMatch(/^(https?|mailto):/);
    expect(whole(text)).toBe(text);
  }
  expect(safeLink('javascript:alert(1)')).toBeUndefined();
  expect(safeLink('https://example.com/')).toBe('https://example.com/');
});

test('mentions are counted in characters, not in UTF-16 units', () => {
  const user = '01890abc-def0-7abc-8def-000000000b0b';
  const who = { type: 'user', user } as const;
  expect(segments('😀😀 @bob hi', [{ start: 3, length: 4, who }])).toEqual([
    { type: 'text', text: '😀😀 ' },
    { type: 'mention', text: '@bob', user },
    { type: 'text', text: ' hi' },
  ]);
});

test('mentions that do not fit the text are passed over', () => {
  const who = { type: 'everyone' } as const;
  expect(segments('hi', [{ start: 1, length: 9, who }])).toEqual([{ type: 'text', text: 'hi' }]);
  expect(segments('hi', [{ start: 9, length: 1, who }])).toEqual([{ type: 'text', text: 'hi' }]);
  expect(
    segments('abcd', [
      { start: 1, length: 2, who },
      { start: 2, length: 1, who },
    ]).map((part) => part.text),
  ).toEqual(['a', 'bc', 'd']);
});

test('long texts begin with less, never with half a character', () => {
  expect(beginning('short\ntext')).toBe('short\ntext');
  const long = '😀'.repeat(5_000);
  expect(long.startsWith(beginning(`a${long}`).slice(1))).toBe(true);
  // A lone half would not come back as it was.
  expect(decodeURIComponent(encodeURIComponent(beginning(`a${long}`)))).toBe(beginning(`a${long}`));
  expect(beginning(`a${long}`).length).toBeLessThan(2_000);
  const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`).join('\n');
  expect(beginning(lines).split('\n').length).toBe(20);
  const few = Array.from({ length: 23 }, (_, i) => `line ${i}`).join('\n');
  expect(beginning(few)).toBe(few);
});

test('one line is one line, and short', () => {
  expect(oneLine('a\n\n b\tc')).toBe('a b c');
  expect([...oneLine('😀'.repeat(500), 10)].length).toBe(11);
});

test('emoji alone are big, words are not', () => {
  for (const text of ['👍', '1️⃣', '👍🏽 🎉']) expect(isBigEmoji(text), text).toBe(true);
  for (const text of ['', '©', '👍 ok', '🙂🙂🙂🙂']) expect(isBigEmoji(text), text).toBe(false);
});
