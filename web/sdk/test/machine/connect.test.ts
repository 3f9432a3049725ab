/** The phases of the connection. */

import { expect, test } from 'vitest';
import { fromCode, problem } from '../../src/error.ts';
import { Connect, HANDSHAKE_MS, type Tick } from '../../src/machine/connect.ts';

const BACKOFF = { baseMs: 1_000, maxMs: 8_000 };
const tick = (nowMs: number, random = 0.5): Tick => ({ nowMs, wallMs: nowMs, random });
const lost = problem('network', 'cut');

function connected(): Connect {
  const connect = new Connect(BACKOFF, true, true);
  connect.start();
  connect.handleConnected(0, 'websocket');
  return connect;
}

test('a hello is due once a connection, with the token', () => {
  const connect = new Connect(BACKOFF, false, true);
  expect(connect.start()).toBe('signIn');
  expect(connect.takeHello()).toBe(false);
  expect(connect.handleToken(Uint8Array.of(1))).toBe('dial');
  connect.handleConnected(0, 'webtransport');
  expect(connect.transport).toBe('webtransport');
  expect(connect.token).toEqual(Uint8Array.of(1));
  expect([connect.takeHello(), connect.takeHello()]).toEqual([true, false]);
  connect.endSession();
  expect(connect.transport).toBeUndefined();
});

test('a token without a sign-in that waits is only kept', () => {
  const connect = new Connect(BACKOFF, true, false);
  expect(connect.handleToken(Uint8Array.of(2))).toBe('nothing');
  expect(connect.phase.type).toBe('idle');
});

test('waits grow up to their bound, and begin anew after a session that lived', () => {
  const connect = connected();
  const waits: number[] = [];
  for (let n = 0; n < 5; n++) {
    connect.handleFailure(tick(0, 0.999_9), lost);
    waits.push(connect.deadline());
    connect.start();
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 8_000]);
  connect.handleWelcome(0);
  connect.handleFailure(tick(5_000, 0.999_9), lost);
  expect(connect.deadline()).toBe(6_000);
});

test('a hello without an answer is a failure', () => {
  const connect = connected();
  expect(connect.handleTimeout(tick(HANDSHAKE_MS - 1))).toBe('nothing');
  expect(connect.handleTimeout(tick(HANDSHAKE_MS))).toBe('wait');
});

test('a refused token is renewed once', () => {
  const refused = fromCode(200, '', 0);
  expect(refused.name).toBe('token_invalid');
  const connect = connected();
  expect(connect.handleFailure(tick(0), refused)).toBe('signIn');
  connect.handleToken(Uint8Array.of(1));
  expect(connect.handleFailure(tick(0), refused)).toBe('close');
  const without = new Connect(BACKOFF, true, false);
  without.start();
  expect(without.handleFailure(tick(0), refused)).toBe('close');
});

test('a server that drains is left within the time it gives', () => {
  const connect = connected();
  connect.handleWelcome(0);
  connect.handleDrain(tick(100, 0.25), 4_000);
  expect(connect.deadline()).toBe(1_100);
  expect(connect.handleTimeout(tick(1_100))).toBe('redial');
});

test('the end is the end', () => {
  const connect = connected();
  expect(connect.close()).toBe('close');
  expect([connect.close(), connect.forceReconnect(), connect.handleFailure(tick(0), lost)]).toEqual(
    ['nothing', 'nothing', 'nothing'],
  );
});
