/** Acknowledgements: over what the session was given, with pauses as in the Rust SDK. */

import { expect, test } from 'vitest';
import { Acknowledged, deliveredEveryMs } from '../../src/machine/conversation/delivered.ts';

test('few wait little and many share a rate', () => {
  const every = (members: number, last: number) =>
    deliveredEveryMs(
      members,
      `00000000-0000-4000-8000-0000000000${last.toString(16).padStart(2, '0')}`,
    );
  expect([0, 1, 2, 10].map((members) => every(members, 200))).toEqual([100, 100, 100, 100]);
  expect([0, 128, 255].map((last) => every(11, last))).toEqual([100, 110, 137]);
  expect([0, 128, 255].map((last) => every(100, last))).toEqual([750, 1000, 1248]);
  expect([0, 128, 255].map((last) => every(200, last))).toEqual([1500, 2000, 2496]);
});

test('what was taken is acknowledged as far as this session was given it', () => {
  const cursor = new Acknowledged(0, 0);
  cursor.handleTaken(3);
  expect(cursor.due(3)).toBeUndefined();
  expect(cursor.fetchFrom(3)).toBe(0);
  cursor.handleGiven(1, 2);
  expect(cursor.due(3)).toEqual({ atMs: 0, upTo: 2 });
  // A run ahead counts once the hole before it is closed.
  cursor.handleGiven(4, 6);
  expect(cursor.covered).toBe(2);
  cursor.handleGiven(3, 3);
  expect(cursor.covered).toBe(6);
});

test('one is on its way at a time, the next after a pause, which the end skips', () => {
  const cursor = new Acknowledged(0, 0);
  cursor.handleGiven(1, 9);
  cursor.handleTaken(5);
  cursor.start(700);
  expect(cursor.due(9)).toBeUndefined();
  expect(cursor.isPending).toBe(true);
  cursor.finish(5);
  expect(cursor.isPending).toBe(false);
  cursor.handleTaken(7);
  expect(cursor.due(9)).toEqual({ atMs: 700, upTo: 9 });
  cursor.skipPause();
  expect(cursor.due(9)).toEqual({ atMs: 0, upTo: 9 });
  // A pause that the server asks for is kept.
  cursor.start(0);
  cursor.postpone(900);
  cursor.skipPause();
  expect(cursor.due(9)?.atMs).toBe(900);
});

test('three refusals leave it to the next session, in which it is fetched once more', () => {
  const cursor = new Acknowledged(2, 2);
  cursor.handleTaken(4);
  for (let n = 0; n < 3; n++) {
    cursor.handleGiven(3, 4);
    expect(cursor.due(4)).toEqual({ atMs: 0, upTo: 4 });
    cursor.start(0);
    cursor.finish(undefined);
  }
  cursor.handleGiven(3, 4);
  expect(cursor.due(4)).toBeUndefined();
  cursor.handleDisconnected();
  expect(cursor.covered).toBe(2);
  expect(cursor.fetchFrom(4)).toBe(2);
});

test('what is not there for this user counts as given', () => {
  const cursor = new Acknowledged(0, 0);
  cursor.handleTaken(5);
  cursor.handleGiven(4, 5);
  cursor.handleFloor(3);
  expect(cursor.covered).toBe(5);
  cursor.handleDisconnected();
  expect(cursor.covered).toBe(3);
});
