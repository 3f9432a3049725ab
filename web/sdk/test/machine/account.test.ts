/** Whose client it is. */

import { expect, test } from 'vitest';
import { decode, encode, type Init } from '../../src/codec.ts';
import * as wire from '../../src/gen/wire.ts';
import { uuidBytes } from '../../src/ids.ts';
import { Account } from '../../src/machine/account.ts';
import { Outputs } from '../../src/machine/outputs.ts';
import { id } from './model.ts';

function welcome(given: Init<wire.Welcome> = {}): wire.Welcome {
  const some = { session: uuidBytes(id(9)), user: uuidBytes(id(1)), device: uuidBytes(id(7)) };
  const bytes = encode(wire.Welcome, { ...some, userName: 'ann', accountRevision: 3, ...given });
  return decode(wire.Welcome, bytes);
}

test('the first session says whose it is, the next one nothing new', () => {
  const outputs = new Outputs(true);
  const account = new Account(outputs, undefined);
  expect(account.me).toBeUndefined();
  expect(account.beginSession(welcome(), 'websocket', () => {})).toBe(true);
  expect(account.me).toBe(id(1));
  const saved = { user: { id: id(1), name: 'ann' }, device: id(7), revision: 3 };
  expect(outputs.takeSaves()).toEqual([{ type: 'account', account: saved }]);
  expect(account.endSession()).toBe(true);
  expect(account.endSession()).toBe(false);
  expect(account.beginSession(welcome({ accountRevision: 5 }), 'websocket', () => {})).toBe(false);
  expect(account.sessionNumber).toBe(2);
  expect(outputs.takeSaves()).toEqual([]);
});

test('another user is refused, a new name taken', () => {
  const saved = { user: { id: id(1), name: 'ann' }, device: id(7), revision: 3 };
  const account = new Account(new Outputs(true), saved);
  expect(
    account.beginSession(welcome({ user: uuidBytes(id(2)) }), 'websocket', () => {}),
  ).toBeUndefined();
  expect(account.session).toBeUndefined();
  expect(account.beginSession(welcome({ userName: 'anna' }), 'websocket', () => {})).toBe(true);
  expect(account.user?.name).toBe('anna');
});

test('a revision is news once', () => {
  const outputs = new Outputs(true);
  const account = new Account(outputs, undefined);
  expect(account.setRevision(4)).toBe(false);
  account.beginSession(welcome(), 'websocket', () => {});
  expect([3, 4, 4, 2].map((revision) => account.setRevision(revision))).toEqual([
    false,
    true,
    false,
    false,
  ]);
  expect(outputs.takeSaves().at(-1)).toMatchObject({ account: { revision: 4 } });
});
