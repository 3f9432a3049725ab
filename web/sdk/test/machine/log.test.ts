/** The gap rule: in order, once, and what is missing is fetched. */

import { expect, test } from 'vitest';
import type { Raw } from '../../src/history.ts';
import { Log } from '../../src/machine/conversation/log.ts';

const raw = (seq: number, size = 10): Raw => ({ seq, bytes: new Uint8Array(size) }) as Raw;

function taken(log: Log): number[] {
  const seqs: number[] = [];
  for (let next = log.take(); next; next = log.take()) seqs.push(next.seq);
  return seqs;
}

test('entries come out in order, each once', () => {
  const log = new Log(0, 0);
  for (const seq of [2, 1, 1, 3, 2]) log.offer(raw(seq));
  expect(taken(log)).toEqual([1, 2, 3]);
  log.offer(raw(2));
  expect(taken(log)).toEqual([]);
  expect([log.held, log.last]).toEqual([3, 3]);
});

test('a gap is fetched, at once or after a grace', () => {
  const log = new Log(0, 0);
  log.noteLast(3, 1_000, true);
  expect(log.fetchAtMs()).toBe(1_200);
  log.noteLast(4, 1_000, false);
  expect(log.fetchAtMs()).toBe(1_000);
  log.startFetch();
  expect(log.fetchAtMs()).toBeUndefined();
});

test('fetches that bring nothing wait and end, until something new is heard', () => {
  const log = new Log(0, 5);
  for (let n = 0; n < 3; n++) {
    log.startFetch();
    log.finishFetch(undefined, false, 1_000);
    if (n < 2) expect(log.fetchAtMs()).toBe(2_000);
  }
  expect(log.fetchAtMs()).toBeUndefined();
  log.noteLast(6, 3_000, false);
  expect(log.fetchAtMs()).toBe(3_000);
});

test('who joins late begins where the log begins for them', () => {
  const log = new Log(0, 9);
  log.startFetch();
  for (const seq of [7, 8, 9]) log.offer(raw(seq));
  log.finishFetch(7, true, 0);
  expect(taken(log)).toEqual([7, 8, 9]);
});

test('the stash is bounded in number and size, but for the next one', () => {
  const many = new Log(0, 0);
  for (let seq = 2; seq <= 100; seq++) many.offer(raw(seq));
  many.offer(raw(1));
  expect(taken(many).at(-1)).toBe(65);
  const large = new Log(0, 0);
  large.offer(raw(2, 1 << 20));
  large.offer(raw(3, 1));
  large.offer(raw(1, 1 << 20));
  expect(taken(large)).toEqual([1, 2]);
});
