/** The read cursor: where the application wants it, until the server has it. */

import { expect, test } from 'vitest';
import { ReadMark } from '../../src/machine/conversation/read.ts';

test('calls wait for the server, and those it has passed are done', () => {
  const read = new ReadMark(2, 0);
  expect(read.want(2, 1)).toBe(false);
  expect(read.want(4, 2)).toBe(true);
  expect(read.want(6, 3)).toBe(true);
  expect(read.due()).toEqual({ atMs: 0, upTo: 6 });
  read.start();
  expect(read.due()).toBeUndefined();
  expect(read.handleConfirmed(5)).toEqual([2]);
  expect(read.handleConfirmed(6)).toEqual([3]);
  read.finish();
  expect(read.isPending).toBe(false);
});

test('refusals that may pass are tried three times, others once', () => {
  const read = new ReadMark(0, 0);
  read.want(3, 1);
  read.start();
  expect(read.handleFailure(1_000, true)).toEqual([]);
  expect(read.due()).toEqual({ atMs: 1_200, upTo: 3 });
  read.start();
  expect(read.handleFailure(2_000, true)).toEqual([]);
  expect(read.due()?.atMs).toBe(2_400);
  read.start();
  expect(read.handleFailure(3_000, true)).toEqual([1]);
  expect(read.due()).toBeUndefined();
  read.want(3, 2);
  read.start();
  expect(read.handleFailure(4_000, false)).toEqual([2]);
});

test('a call whose time is up is forgotten, its cursor is not', () => {
  const read = new ReadMark(0, 0);
  read.want(3, 1);
  read.forget(1);
  expect(read.due()?.upTo).toBe(3);
  expect(read.handleConfirmed(3)).toEqual([]);
});

test('what was on its way is sent again in the next session', () => {
  const read = new ReadMark(0, 4);
  read.start();
  read.handleDisconnected();
  expect(read.due()).toEqual({ atMs: 0, upTo: 4 });
});
