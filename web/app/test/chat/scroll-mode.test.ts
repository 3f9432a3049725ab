// What a list keeps still: each transition by its name, and which row is being read.

import { expect, test } from 'vitest';
import {
  type Anchor,
  anchorOf,
  begin,
  drawn,
  end,
  FOLLOWING,
  jump,
  type Mode,
  readerMoved,
  rowsAbove,
  toggled,
  UNPLACED,
  viewResized,
} from '../../src/chat/timeline/scroll-mode';

const anchor: Anchor = { key: 'k', offset: 100, spare: ['l'] };
const READING: Mode = { type: 'reading', anchor };
const HELD: Mode = { type: 'held', anchor, bottom: 150 };

const never = () => {
  throw new Error('nobody needs this');
};

test('a list begins at the row asked for, else at its end', () => {
  expect(begin('k', never)).toEqual(jump('k', 48));
  expect(begin(undefined, () => end(true, 'z', 600))).toEqual(FOLLOWING);
});

test('the end is followed only when nothing newer is left to load', () => {
  expect(end(true, 'z', 600)).toEqual(FOLLOWING);
  // The last row's top at the view's bottom, as far down as it goes.
  expect(end(false, 'z', 600)).toEqual(jump('z', 600));
});

test('a reader who leaves the end stops following it, and one who comes back follows', () => {
  expect(readerMoved(false, () => anchor)).toEqual(READING);
  expect(readerMoved(true, never)).toEqual(FOLLOWING);
});

test('rows that come in above hold the bottom of the row until it is drawn', () => {
  const held = rowsAbove(READING, 150);
  expect(held).toEqual(HELD);
  // It got 24 pixels higher: its top goes up by as much.
  expect(drawn(held, { key: 'k', height: 74 })).toEqual({
    type: 'reading',
    anchor: { ...anchor, offset: 76 },
  });
  // It is gone, or not in the page: the anchor is what it was.
  expect(drawn(held, { key: 'l', height: 74 })).toEqual(READING);
  expect(drawn(held, undefined)).toEqual(READING);
});

test('only a reader is held, and what is drawn changes nothing else', () => {
  for (const mode of [UNPLACED, FOLLOWING, HELD]) expect(rowsAbove(mode, 1)).toBe(mode);
  for (const mode of [UNPLACED, FOLLOWING, READING])
    expect(drawn(mode, { key: 'k', height: 1 })).toBe(mode);
});

test('what is in view stays above what grows below it', () => {
  expect(viewResized(READING, -40)).toEqual({ type: 'reading', anchor: { ...anchor, offset: 60 } });
  expect(viewResized(HELD, -40)).toEqual({
    type: 'held',
    anchor: { ...anchor, offset: 60 },
    bottom: 110,
  });
  for (const mode of [UNPLACED, FOLLOWING]) expect(viewResized(mode, -40)).toBe(mode);
});

test('the row being read is the first that begins in the upper half, else on the first in view', () => {
  const rows = (...tops: [string, number, number][]) =>
    tops.map(([key, offset, height]) => ({ key, offset, height }));
  const read = (...tops: [string, number, number][]) => anchorOf(rows(...tops), 600);
  expect(read(['a', -80, 50], ['b', -30, 50], ['c', 20, 50], ['d', 70, 50])).toEqual({
    key: 'c',
    offset: 20,
    spare: ['b', 'c', 'd'],
  });
  // One that fills the upper half is what is read.
  expect(read(['b', -100, 450], ['c', 350, 50])?.key).toBe('b');
  expect(read(['b', -100, 2_000])).toEqual({ key: 'b', offset: -100, spare: ['b'] });
  // Rows below the view are no spare.
  expect(read(['a', 0, 600], ['b', 600, 50])?.spare).toEqual(['a']);
  expect(read(['a', -50, 50], ['b', 600, 50])).toBeUndefined();
  expect(read()).toBeUndefined();
});

test('what the reader opens goes on where it is, and what they close keeps its end', () => {
  const row = { key: 'k', offset: -30, height: 400 };
  expect(toggled(row, true)).toEqual(jump('k', -30));
  const closing = toggled(row, false);
  expect(drawn(closing, { key: 'k', height: 100 })).toEqual(jump('k', 270));
});
