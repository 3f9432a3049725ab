// Which rows are in the page: enough for the view, and the same ones for as long as they suffice.

import { beforeEach, expect, test } from 'vitest';
import { Heights } from '../../src/chat/timeline/heights';
import { NO_ROWS, nextWindow, rowOf, viewTop } from '../../src/chat/timeline/row-window';
import { FOLLOWING, jump, UNPLACED } from '../../src/chat/timeline/scroll-mode';

const VIEW = 600;

let heights: Heights;
beforeEach(() => {
  heights = new Heights(50);
  heights.setKeys(Array.from({ length: 1_000 }, (_, i) => `k${i}`));
});

test('an anchor stands for its row, for a spare one when that is gone, else for the last', () => {
  const anchor = { key: 'k7', offset: 0, spare: ['k6', 'k7', 'k8'] };
  expect(rowOf(anchor, heights)).toBe(7);
  heights.setKeys(['k5', 'k8', 'k9']);
  expect(rowOf(anchor, heights)).toBe(1);
  heights.setKeys(['k1', 'k2']);
  expect(rowOf(anchor, heights)).toBe(1);
});

test("the view's top follows from the mode, and stays within the rows", () => {
  const most = 50 * 1_000 - VIEW;
  expect(viewTop(FOLLOWING, heights, VIEW)).toBe(most);
  expect(viewTop(UNPLACED, heights, VIEW)).toBe(most);
  expect(viewTop(jump('k500', 48), heights, VIEW)).toBe(500 * 50 - 48);
  expect(viewTop(jump('k0', 200), heights, VIEW)).toBe(0);
  expect(viewTop(jump('k999', 0), heights, VIEW)).toBe(most);
  heights.setKeys(['k1']);
  expect(viewTop(FOLLOWING, heights, VIEW)).toBe(0);
});

test('rows for the view and 700 pixels around it are in the page', () => {
  expect(nextWindow(NO_ROWS, heights, 25_000, VIEW)).toEqual({ first: 486, last: 527 });
  expect(nextWindow(NO_ROWS, heights, 0, VIEW)).toEqual({ first: 0, last: 27 });
  expect(nextWindow(NO_ROWS, heights, 49_400, VIEW)).toEqual({ first: 974, last: 1_000 });
});

test('while the rows suffice, the same ones stay', () => {
  const now = nextWindow(NO_ROWS, heights, 25_000, VIEW);
  expect(nextWindow(now, heights, 25_400, VIEW)).toBe(now);
  expect(nextWindow(now, heights, 24_600, VIEW)).toBe(now);
  // Less than 233 pixels are ready on one side: all is made ready again.
  expect(nextWindow(now, heights, 25_600, VIEW)).toEqual({ first: 498, last: 539 });
  expect(nextWindow(now, heights, 24_400, VIEW)).toEqual({ first: 474, last: 515 });
});

test('far too many rows, or ones that are gone, are not kept', () => {
  const wanted = nextWindow(NO_ROWS, heights, 25_000, VIEW);
  expect(nextWindow({ first: 400, last: 600 }, heights, 25_000, VIEW)).toEqual(wanted);
  heights.setKeys(['k0', 'k1']);
  expect(nextWindow({ first: 0, last: 27 }, heights, 0, VIEW)).toEqual({ first: 0, last: 2 });
});
