/** From where the feed is asked, and what is saved of it. */

import { expect, test } from 'vitest';
import { Feed } from '../../src/machine/feed.ts';
import { Outputs } from '../../src/machine/outputs.ts';

function synced(position: number): { feed: Feed; saved: () => number | undefined } {
  const outputs = new Outputs(true);
  const feed = new Feed(outputs, position);
  feed.ask();
  feed.handleAnswer(position, false, 0);
  const saved = () =>
    outputs.takeSaves().reduce<number | undefined>((last, save) => {
      return save.type === 'feed' ? save.position : last;
    }, undefined);
  return { feed, saved };
}

test('pages are asked for one after the other; only they move it until all came', () => {
  const outputs = new Outputs(true);
  const feed = new Feed(outputs, 10);
  expect(feed.isFresh).toBe(false);
  expect(feed.ask()).toBe(10);
  expect(feed.handleAnswer(20, true, 5)).toBe(false);
  feed.advance(90);
  expect(feed.isSynced).toBe(false);
  expect(feed.takeSync(5)).toBe(20);
  expect(feed.takeSync(5)).toBeUndefined();
  expect(feed.handleAnswer(30, false, 6)).toBe(true);
  expect(feed.isSynced).toBe(true);
  feed.handleStale(undefined, 6);
  feed.advance(40);
  expect(outputs.takeSaves().map((save) => save.type === 'feed' && save.position)).toEqual([
    30, 40,
  ]);
});

test('a question without an answer is made again from where it was', () => {
  const { feed } = synced(10);
  feed.resyncNow(100);
  expect(feed.takeSync(100)).toBe(10);
  feed.advance(50);
  feed.endSession();
  expect(feed.isSynced).toBe(false);
  expect(feed.ask()).toBe(10);
});

test('what is being asked, or will be, is not saved as taken', () => {
  const { feed, saved } = synced(10);
  feed.requestResync();
  feed.advance(50);
  expect(saved()).toBe(10);
  feed.scheduleResync(1_000);
  expect(feed.deadline()).toBe(1_200);
  expect(feed.takeSync(1_200)).toBe(10);
  feed.advance(60);
  expect(saved()).toBe(10);
  feed.handleAnswer(60, false, 1_300);
  feed.handleStale(undefined, 1_300);
  expect(saved()).toBe(60);
});

test('a refused sync waits', () => {
  const { feed } = synced(10);
  feed.resyncNow(0);
  feed.takeSync(0);
  feed.handleRefused(1_000);
  expect(feed.takeSync(999)).toBeUndefined();
  expect(feed.takeSync(1_000)).toBe(10);
});

test('a count that stays stale is asked for from its version, four times', () => {
  const { feed } = synced(100);
  const asked: (number | undefined)[] = [];
  for (let round = 0; round < 6; round++) {
    feed.handleStale(40, round * 1_000);
    asked.push(feed.takeSync(round * 1_000 + 200));
    feed.handleAnswer(100, false, round * 1_000 + 300);
  }
  expect(asked).toEqual([39, 39, 39, 39, undefined, undefined]);
  // With the next change it is worth asking again.
  feed.requestResync();
  feed.scheduleResync(9_000);
  feed.handleStale(40, 9_000);
  expect(feed.takeSync(9_200)).toBe(39);
});

test('a heartbeat tells what was missed', () => {
  const { feed } = synced(10);
  feed.handlePosition(10, 500);
  expect(feed.takeSync(500)).toBeUndefined();
  feed.handlePosition(11, 500);
  expect(feed.takeSync(500)).toBe(10);
});

test('a device without a position is fresh until the first list was taken', () => {
  const { feed } = synced(0);
  expect(feed.isFresh).toBe(true);
  feed.restart = true;
  expect(feed.takeFresh()).toBe(false);
  expect(feed.ask()).toBe(0);
  expect(feed.takeFresh()).toBe(true);
  expect(feed.isFresh).toBe(false);
});
