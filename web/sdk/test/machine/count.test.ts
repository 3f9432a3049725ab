/** What is unread, carried on from the feed's count. */

import { expect, test } from 'vitest';
import { decode, encode, type Init } from '../../src/codec.ts';
import * as wire from '../../src/gen/wire.ts';
import type { Raw } from '../../src/history.ts';
import { Count } from '../../src/machine/conversation/count.ts';
import type { Entry } from '../../src/model.ts';

function feed(given: Init<wire.FeedEntry>): wire.FeedEntry {
  return decode(wire.FeedEntry, encode(wire.FeedEntry, given));
}

const raw = (seq: number, kind: number = wire.EntryKind.TEXT): Raw =>
  ({ seq, ordinal: seq, kind }) as Raw;

const message = (own: boolean, mentionsMe = false): Entry =>
  ({ type: 'message', own, mentionsMe }) as Entry;

test("others' messages count, an own one has read them all", () => {
  const count = new Count(0);
  count.handleTaken(raw(1), message(false), undefined);
  count.handleTaken(raw(2), message(false, true), undefined);
  expect(count.value).toMatchObject({ unread: 2, mentions: 1, upTo: 2 });
  // Once: it comes again after a reconnect.
  count.handleTaken(raw(2), message(false), undefined);
  expect(count.value.unread).toBe(2);
  count.handleTaken(raw(3), message(true), undefined);
  expect(count.value).toMatchObject({ unread: 0, mentions: 0, floor: 3, doubtful: false });
});

test('a deletion of what may be unread makes it stale, until the feed tells', () => {
  const count = new Count(0);
  count.handleFeed(feed({ lastSeq: 4, unread: 3, version: 9, floorOrdinal: 1 }));
  const deletion = (targetOrdinal: number) => ({ type: 'deletion', targetOrdinal }) as Entry;
  expect(count.handleTaken(raw(5), deletion(1), undefined)).toBe(false);
  expect(count.handleTaken(raw(6), deletion(2), undefined)).toBe(true);
  expect(count.value).toMatchObject({ unread: 2, doubtful: true });
  // What is older than our own count changes nothing.
  count.handleFeed(feed({ lastSeq: 5, unread: 7, version: 10 }));
  expect(count.value).toMatchObject({ unread: 2, doubtful: true, version: 10 });
  count.handleFeed(feed({ lastSeq: 6, unread: 2, version: 11 }));
  expect(count.value).toMatchObject({ unread: 2, doubtful: false });
});

test('a read cursor amid the unread makes it stale, one at the end does not', () => {
  const count = new Count(0);
  for (let seq = 1; seq <= 3; seq++) count.handleTaken(raw(seq), message(false), undefined);
  expect(count.handleRead(2)).toBe(true);
  expect(count.handleRead(3)).toBe(false);
  expect(count.value.unread).toBe(0);
});

test('it goes on as it was saved', () => {
  const count = new Count(0);
  count.handleTaken(raw(1), message(false), undefined);
  expect(new Count(0, { ...count.value }).value).toEqual(count.value);
});
