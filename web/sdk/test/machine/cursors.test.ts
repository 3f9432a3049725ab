/** Pauses between acknowledgements: the same as the Rust SDK's. */

import { expect, test } from 'vitest';
import { deliveredEveryMs } from '../../src/machine/cursors.ts';

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
