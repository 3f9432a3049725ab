/** Requests on the wire, and committed sends that are followed. */

import { expect, test } from 'vitest';
import { Requests } from '../../src/machine/requests.ts';
import { TRACKED, Tracking } from '../../src/machine/tracking.ts';

const ping = { type: 'ping' } as const;

test('an answer is for one request, and the oldest is known', () => {
  const requests = new Requests();
  const [first, second] = [requests.add(10, ping), requests.add(20, { type: 'sync' })];
  expect(requests.oldestMs).toBe(10);
  expect(requests.take(first)).toBe(ping);
  expect(requests.take(first)).toBeUndefined();
  expect(requests.oldestMs).toBe(20);
  requests.take(second);
  expect(requests.oldestMs).toBeUndefined();
});

test('the server bounds what is open, less some room for heartbeats', () => {
  const requests = new Requests();
  requests.setLimit(6);
  requests.add(0, ping);
  expect(requests.hasRoom).toBe(true);
  requests.add(0, ping);
  expect(requests.hasRoom).toBe(false);
  requests.setLimit(0);
  expect(requests.drain()).toEqual([ping, ping]);
  expect(requests.hasRoom).toBe(true);
});

test('no server makes it more than 64', () => {
  const requests = new Requests();
  requests.setLimit(1_000_000);
  for (let n = 0; n < 64; n++) {
    expect(requests.hasRoom).toBe(true);
    requests.add(0, ping);
  }
  expect(requests.hasRoom).toBe(false);
});

const at = (seq: number) => ({ conversation: 'c', seq, timeMs: 0, duplicate: false });

test('a send is told that it was delivered, then read, and then forgotten', () => {
  const tracking = new Tracking();
  tracking.add(1, at(5));
  tracking.add(2, at(6));
  const told = (delivered: number, read: number) =>
    tracking.handleCursors('c', delivered, read).map((it) => `${it.localId} ${it.status.type}`);
  expect(tracking.handleCursors('other', 9, 9)).toEqual([]);
  expect(told(5, 0)).toEqual(['1 delivered']);
  expect(told(6, 5)).toEqual(['1 read', '2 delivered']);
  expect(told(6, 6)).toEqual(['2 read']);
  expect([...tracking.conversations()]).toEqual([]);
});

test('the newest sends are followed', () => {
  const tracking = new Tracking();
  for (let n = 0; n <= TRACKED; n++) tracking.add(n, at(n + 1));
  const read = tracking.handleCursors('c', 0, TRACKED + 1);
  expect(read).toHaveLength(TRACKED);
  expect(read[0]?.localId).toBe(1);
});
