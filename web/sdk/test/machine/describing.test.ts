/** When a conversation is described: the roster, and what the user hid. */

import { expect, test } from 'vitest';
import { Describing } from '../../src/machine/conversation/describing.ts';
import { Hidden } from '../../src/machine/conversation/hidden.ts';

test('one that is new is asked for, once at a time', () => {
  const describing = new Describing(false);
  expect(describing.dueAtMs()).toBe(0);
  describing.start();
  expect(describing.dueAtMs()).toBeUndefined();
  expect(describing.isAwaited).toBe(true);
  expect(describing.finish(1, false)).toBe(true);
  expect(describing.isDescribed).toBe(true);
  expect(describing.dueAtMs()).toBeUndefined();
  expect([describing.isCurrent(1), describing.isCurrent(2)]).toEqual([true, false]);
});

test('one that was refused waits; the next session does not', () => {
  const describing = new Describing(false);
  describing.start();
  describing.retry(1_000);
  expect(describing.dueAtMs()).toBe(1_000);
  describing.handleDisconnected();
  expect(describing.dueAtMs()).toBe(0);
});

test('one that is older than what is known is asked for three times more, then taken', () => {
  const describing = new Describing(true);
  describing.again();
  const taken: boolean[] = [];
  for (let n = 0; n < 5; n++) {
    describing.start();
    taken.push(describing.finish(1, true));
  }
  expect(taken).toEqual([false, false, false, true, false]);
});

test('hidden messages are asked for until all are known', () => {
  const hidden = new Hidden(2);
  expect(hidden.due()).toBeUndefined();
  hidden.handleCount(5);
  expect(hidden.due()).toBe(2);
  hidden.start();
  expect(hidden.due()).toBeUndefined();
  hidden.finish(2);
  expect(hidden.due()).toBe(4);
  hidden.start();
  // None means that there are no more, whatever the count was.
  hidden.finish(0);
  expect(hidden.known).toBe(5);
  expect(hidden.due()).toBeUndefined();
});

test('hidden messages that can not be had are left until there are more, or the next session', () => {
  const hidden = new Hidden(0);
  hidden.handleCount(3);
  hidden.start();
  hidden.giveUp();
  expect(hidden.due()).toBeUndefined();
  hidden.handleCount(4);
  expect(hidden.due()).toBe(0);
  hidden.start();
  hidden.handleDisconnected();
  expect(hidden.due()).toBe(0);
});
