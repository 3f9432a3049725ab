/** What is done to a message, folded into it. */

import { expect, test } from 'vitest';
import { fold } from '../../src/view/fold.ts';
import { sameEmoji } from '../../src/view/index.ts';
import { ANN, ME, message } from '../support/fake-client.ts';

const react = (emoji: string, sender = ANN, removed = false) =>
  ({ type: 'reaction', target: 1, emoji, removed, sender }) as const;

test('an emoji with and without its variation selector is one reaction', () => {
  const thumbs = fold(message(1, 'x'), [react('\u{1f44d}'), react('\u{1f44d}\ufe0f', ME)]);
  expect(thumbs.reactions).toEqual([{ emoji: '\u{1f44d}', users: [ANN, ME] }]);
  const less = fold(thumbs, [react('\u{1f44d}\ufe0f', ANN, true)]);
  expect(less.reactions).toEqual([{ emoji: '\u{1f44d}', users: [ME] }]);
  const hearts = fold(message(1, 'x'), [react('\u2764'), react('\u2764\ufe0f')]);
  expect(hearts.reactions.length).toBe(1);
  expect(sameEmoji('\u{1f3f3}\ufe0f\u200d\u{1f308}', '\u{1f3f3}\u200d\u{1f308}')).toBe(true);
  expect(sameEmoji('\u{1f44d}', '\u{1f44d}\u{1f3fb}')).toBe(false);
});

test('an edited message knows what it said first', () => {
  const edit = (seq: number, text: string) =>
    ({ type: 'edit', target: 1, seq, timeMs: seq, text, mentions: [] }) as const;
  const twice = fold(message(1, 'first'), [edit(2, 'second'), edit(3, 'third')]);
  expect(twice).toMatchObject({ text: 'third', edited: { seq: 3, first: 'first' } });
  expect(fold(twice, [{ type: 'deletion', target: 1 }]).edited).toBeUndefined();
});

test('a deleted message is pinned no longer', () => {
  const pin = { type: 'pin', target: 1, removed: false } as const;
  const deletion = { type: 'deletion', target: 1 } as const;
  expect(fold(message(1, 'x'), [pin, deletion]).pinned).toBe(false);
  expect(fold(message(1, 'x'), [deletion, pin]).pinned).toBe(false);
});
