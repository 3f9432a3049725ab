/** When to ping, and when a silent link counts as dead. */

import { expect, test } from 'vitest';
import { Liveness } from '../../src/machine/liveness.ts';

function inSession(): Liveness {
  const liveness = new Liveness();
  liveness.handleHeard(1_000);
  liveness.handleWelcome(1_000, 4_000, 60_000);
  return liveness;
}

test('a ping every heartbeat, of the kind that fits', () => {
  const liveness = inSession();
  expect(liveness.takePing(4_999)).toBe(false);
  expect(liveness.takePing(5_000)).toBe(true);
  expect(liveness.deadline()).toBe(9_000);
  liveness.setBackground(5_500, true, true);
  expect(liveness.takePing(5_500)).toBe(true);
  expect(liveness.deadline()).toBe(65_500);
  // Told once, not every time it is said.
  liveness.setBackground(5_600, true, true);
  expect(liveness.deadline()).toBe(65_500);
});

test('heartbeats are bounded, and behind is as in front where the server tells none', () => {
  const liveness = new Liveness();
  liveness.handleWelcome(0, 1, 0);
  expect(liveness.deadline()).toBe(50);
  liveness.setBackground(0, true, false);
  expect(liveness.isBackground).toBe(true);
  liveness.handleWelcome(0, 2 ** 31, 0);
  expect(liveness.deadline()).toBe(3_600_000);
});

test('silence counts from what was heard last, and less while a request waits', () => {
  const liveness = inSession();
  expect(liveness.deadAtMs()).toBe(11_000);
  expect(liveness.deadAtMs(500, 30_000)).toBe(11_000);
  // A long heartbeat: the request decides.
  liveness.handleWelcome(1_000, 8_000, 8_000);
  expect(liveness.deadAtMs()).toBe(21_000);
  expect(liveness.deadAtMs(2_000, 30_000)).toBe(12_000);
  expect(liveness.deadAtMs(2_000, 5_000)).toBe(7_000);
});

test('a probe leaves little time, until something is heard', () => {
  const liveness = inSession();
  liveness.probe(2_000);
  expect(liveness.takePing(2_000)).toBe(true);
  expect(liveness.deadAtMs()).toBe(5_000);
  // A second one gives no more time.
  liveness.probe(4_000);
  expect(liveness.deadAtMs()).toBe(5_000);
  liveness.handleHeard(4_500);
  expect(liveness.deadAtMs()).toBe(14_500);
});
