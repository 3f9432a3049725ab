/** Calls of the application: answered once, in time, or told that they are not. */

import { expect, test } from 'vitest';
import { closed } from '../../src/error.ts';
import { CALLS, type Call, Calls } from '../../src/machine/calls.ts';
import { Outputs } from '../../src/machine/outputs.ts';

const list: Call = { type: 'list' };
const describe = (conversation: string): Call => ({ type: 'describe', conversation });

function some(): { calls: Calls; outputs: Outputs } {
  const outputs = new Outputs(false);
  return { calls: new Calls(outputs), outputs };
}

test('a call is answered once', () => {
  const { calls, outputs } = some();
  calls.add(1, list, 100);
  calls.reply(1, 'yes');
  calls.reply(1, 'again');
  calls.fail(1, closed());
  expect(outputs.poll()).toEqual({ type: 'reply', call: 1, value: 'yes' });
  expect(outputs.poll()).toBeUndefined();
});

test('the server is asked in order, but not for what was answered meanwhile', () => {
  const { calls } = some();
  for (const id of [1, 2, 3]) {
    calls.add(id, describe(`c${id}`), 100);
    calls.enqueue(id);
  }
  calls.reply(2);
  expect(calls.next()).toEqual({ id: 1, call: describe('c1') });
  expect(calls.next()?.id).toBe(3);
  expect(calls.next()).toBeUndefined();
});

test('calls for the same thing are found together', () => {
  const { calls } = some();
  calls.add(1, describe('c1'), 100);
  calls.add(2, { type: 'lookup', name: 'ann' }, 100);
  calls.add(3, describe('c1'), 100);
  calls.add(4, { type: 'lookup', name: 'ben' }, 100);
  expect(calls.describing('c1')).toEqual([1, 3]);
  expect(calls.lookingUp('ben')).toEqual([4]);
  expect(calls.lookups()).toEqual(['ann', 'ben']);
});

test('those whose time is up fail, and are not asked any more', () => {
  const { calls, outputs } = some();
  calls.add(1, list, 100);
  calls.add(2, describe('c'), 200);
  calls.enqueue(1);
  calls.enqueue(2);
  expect(calls.deadline()).toBe(100);
  expect(calls.expire(99)).toEqual([]);
  expect(calls.expire(100)).toEqual([{ id: 1, call: list }]);
  expect(outputs.poll()).toMatchObject({ call: 1, error: { kind: 'timeout' } });
  expect(calls.next()?.id).toBe(2);
});

test('a bounded number is open, and all of them fail at the end', () => {
  const { calls, outputs } = some();
  for (let id = 0; id < CALLS; id++) {
    expect(calls.isFull).toBe(false);
    calls.add(id, list, 100);
  }
  expect(calls.isFull).toBe(true);
  calls.enqueue(5);
  calls.drain(closed());
  let failed = 0;
  for (let next = outputs.poll(); next; next = outputs.poll()) failed++;
  expect(failed).toBe(CALLS);
  expect(calls.next()).toBeUndefined();
});
