/** Sends: in order in their lanes, once, and told how they stand. */

import { expect, test } from 'vitest';
import type { To } from '../../src/actions.ts';
import { fromName } from '../../src/error.ts';
import type { Tick } from '../../src/machine/connect.ts';
import { Outbox } from '../../src/machine/outbox.ts';
import { type Output, Outputs } from '../../src/machine/outputs.ts';
import type { StoredItem } from '../../src/store.ts';

const BACKOFF = { baseMs: 1_000, maxMs: 8_000 };
const everyone = () => true;
const nobody = () => false;
const tick = (nowMs: number): Tick => ({ nowMs, wallMs: nowMs, random: 0.999_9 });
const to = (conversation: string): To => ({ type: 'conversation', conversation });
const user = (id: string): To => ({ type: 'user', user: id });
const named = (name: string): To => ({ type: 'name', name });
const sent = { conversation: 'c', seq: 1, timeMs: 1, duplicate: false };

class Box {
  readonly outputs = new Outputs(true);
  readonly outbox = new Outbox(this.outputs, BACKOFF);

  push(target: To, localId = this.outbox.nextLocalId()): number {
    const action = { type: 'text', text: `${localId}` } as const;
    const body = new Uint8Array();
    const item: StoredItem = {
      localId,
      to: target,
      clientMessageId: `0${localId}`,
      action,
      kind: 1,
      body,
      queuedMs: 0,
    };
    this.outbox.push(item);
    return localId;
  }

  next(nowMs = 0, isKnown = everyone): number | undefined {
    return this.outbox.next(nowMs, isKnown)?.localId;
  }

  /** What was put out: the statuses of items, and how sends ended. */
  told(): string[] {
    const told: string[] = [];
    const text = (it: Output): string => {
      if (it.type === 'status') return `${it.localId} is ${it.status.type}`;
      if (it.type === 'drained') return `${it.left} left`;
      if (it.type !== 'emit') return it.type;
      const { event } = it;
      if (event.type === 'outbox') return `${event.item.localId} ${event.item.status}`;
      return event.type === 'outboxDone' ? `${event.localId} done` : event.type;
    };
    for (let it = this.outputs.poll(); it; it = this.outputs.poll()) told.push(text(it));
    return told;
  }
}

test('one of a lane is on its way, and lanes take turns', () => {
  const box = new Box();
  for (const target of ['c1', 'c1', 'c2']) box.push(to(target));
  expect([box.next(), box.next(), box.next()]).toEqual([1, 3, undefined]);
  box.outbox.handleSent(1, sent);
  expect(box.next()).toBe(2);
  expect(box.told()).toEqual(['1 sending', '3 sending', '1 done', '1 is sent', '2 sending']);
});

test('a name holds back what comes after it, for it may be the same conversation', () => {
  const box = new Box();
  box.push(named('ann'));
  box.push(to('c1'));
  expect(box.next()).toBeUndefined();
  expect(box.outbox.unresolved()).toEqual(['ann']);
  box.outbox.merge(named('ann'), to('c1'));
  expect(box.outbox.item(1)?.conversation).toBe('c1');
  expect([box.next(), box.next()]).toEqual([1, undefined]);
});

test('a user waits for an earlier conversation of which nobody knows who is in it, and the reverse', () => {
  const box = new Box();
  box.push(to('c1'));
  box.push(user('u'));
  expect(box.next(0, nobody)).toBe(1);
  expect(box.next(0, nobody)).toBeUndefined();
  expect(box.next(0, everyone)).toBe(2);
});

test('lanes that become one keep the order of queueing', () => {
  const box = new Box();
  for (const target of [user('u'), to('c1'), user('u')]) box.push(target);
  box.outbox.merge(user('u'), to('c1'));
  const order: (number | undefined)[] = [];
  for (let id = box.next(); id !== undefined; id = box.next()) {
    order.push(id);
    box.outbox.handleSent(id, sent);
  }
  expect(order).toEqual([1, 2, 3]);
});

test('what the server may get over waits, longer each time; "now" is taken at its word once', () => {
  const box = new Box();
  box.push(to('c1'));
  box.push(to('c1'));
  const busy = fromName('overloaded');
  const waits: number[] = [];
  for (let n = 0; n < 3; n++) {
    expect(box.next(waits.at(-1) ?? 0)).toBe(1);
    box.outbox.handleFailure(tick(0), 1, busy);
    waits.push(box.outbox.deadline(0));
  }
  expect(waits).toEqual([1_000, 2_000, 4_000]);
  expect(box.told().at(-1)).toBe('1 queued');
});

test('what is refused for good waits for the user, and the lane goes on', () => {
  const box = new Box();
  box.push(to('c1'));
  box.push(to('c1'));
  box.next();
  box.outbox.handleFailure(tick(0), 1, fromName('text_empty'));
  expect(box.told()).toEqual(['1 sending', '1 failed', '1 is failed']);
  expect(box.outputs.takeSaves()).toMatchObject([{ type: 'queued', item: { localId: 1 } }]);
  expect(box.outbox.size).toBe(1);
  expect(box.outbox.list().map((item) => item.status)).toEqual(['failed', 'queued']);
  expect(box.next()).toBe(2);
  expect(box.outbox.discard(1)?.localId).toBe(1);
  expect(box.outbox.discard(1)).toBeUndefined();
  expect(box.told()).toEqual(['2 sending', '1 done']);
});

test('a target that is not there fails all that goes to it', () => {
  const box = new Box();
  for (const target of [named('ann'), named('ben'), named('ann')]) box.push(target);
  box.outbox.failLane(named('ann'), fromName('not_found'));
  expect(box.told()).toEqual(['1 failed', '1 is failed', '3 failed', '3 is failed']);
  expect(box.outbox.unresolved()).toEqual(['ben']);
});

test('only what can not have arrived is taken back', () => {
  const box = new Box();
  box.push(to('c1'));
  box.push(to('c1'));
  box.next();
  expect(box.outbox.abort(1)).toBe(false);
  expect(box.outbox.abort(2)).toBe(true);
  box.outbox.endSession();
  // It may have arrived before the connection ended.
  expect(box.outbox.abort(1)).toBe(false);
  expect(box.next()).toBe(1);
  expect(box.told()).toEqual(['1 sending', '2 done', '2 is aborted', '1 sending']);
});

test('ids go on above those of a store, also of what failed', () => {
  const box = new Box();
  box.push(to('c1'), 7);
  expect(box.outbox.nextLocalId()).toBe(8);
});

test('a drain has an end, and tells what is left', () => {
  const box = new Box();
  box.outbox.endDrain();
  box.push(to('c1'));
  box.outbox.startDrain(500);
  expect(box.outbox.isDraining).toBe(true);
  expect(box.outbox.drainDeadline()).toBe(500);
  box.outbox.endDrain();
  expect(box.told()).toEqual(['1 left']);
  expect(box.outbox.isDraining).toBe(false);
});
