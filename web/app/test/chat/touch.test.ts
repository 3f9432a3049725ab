// A finger that goes aside answers a message; one that scrolls, or goes the other way, does not.

import { expect, test } from 'vitest';
import { swipeOf } from '../../src/chat/timeline/touch';

test('to the end of the line, far enough', () => {
  expect(swipeOf(30, 5, false)).toEqual({ by: 30, answers: false });
  expect(swipeOf(60, -10, false)).toEqual({ by: 60, answers: true });
  expect(swipeOf(400, 0, false)).toEqual({ by: 80, answers: true });
  expect(swipeOf(-60, 0, true)).toEqual({ by: 60, answers: true });
});

test('nothing else', () => {
  for (const [dx, dy, rtl] of [
    [5, 0, false],
    [-60, 0, false],
    [60, 0, true],
    [40, 40, false],
  ] as const) {
    expect(swipeOf(dx, dy, rtl)).toBeUndefined();
  }
});
