/** Who is watched, who types, and what others are told of the own typing. */

import { expect, test } from 'vitest';
import { Presence, SUBSCRIPTIONS } from '../../src/machine/presence.ts';
import { id } from './model.ts';

const users = (count: number): string[] => Array.from({ length: count }, (_, n) => id(n));

test('a subscription is renewed in every session, without those who were dropped', () => {
  const presence = new Presence();
  expect(presence.watch([id(1), id(2)], [])).toBe(true);
  expect(presence.watch([id(3)], [id(1)])).toBe(true);
  expect(presence.takeWatch(0)).toBeUndefined();
  presence.beginSession(10);
  expect(presence.watchDeadline()).toBe(10);
  expect(presence.takeWatch(10)).toEqual([id(2), id(3)]);
  expect(presence.takeWatch(10)).toBeUndefined();
  presence.retryWatch(1_000);
  expect(presence.takeWatch(999)).toBeUndefined();
  presence.endSession();
  expect(presence.takeWatch(2_000)).toBeUndefined();
});

test('too many are refused, and those before stay', () => {
  const presence = new Presence();
  expect(presence.watch(users(SUBSCRIPTIONS), [])).toBe(true);
  expect(presence.watch([id(SUBSCRIPTIONS)], [])).toBe(false);
  expect(presence.watch([id(SUBSCRIPTIONS)], [id(0)])).toBe(true);
  presence.beginSession(0);
  expect(presence.takeWatch(0)).toHaveLength(SUBSCRIPTIONS);
});

test('own typing is told at first, again after 3 s, and when it stops', () => {
  const presence = new Presence();
  const told = () => {
    const notice = presence.nextNotice();
    return notice?.case === 'typing' ? notice.value.stopped : undefined;
  };
  presence.setTyping(0, id(1), true);
  expect(told()).toBe(false);
  presence.setTyping(2_999, id(1), true);
  expect(told()).toBeUndefined();
  presence.setTyping(3_000, id(1), true);
  expect(told()).toBe(false);
  presence.setTyping(3_100, id(1), false);
  presence.setTyping(3_200, id(1), false);
  expect(told()).toBe(true);
  expect(told()).toBeUndefined();
});

test('the newest notice replaces one that has not left; none outlives its session', () => {
  const presence = new Presence();
  presence.setTyping(0, id(1), true);
  presence.setTyping(10, id(1), false);
  expect(presence.nextNotice()).toMatchObject({ value: { stopped: true } });
  expect(presence.nextNotice()).toBeUndefined();
  presence.setTyping(20, id(1), true);
  presence.endSession();
  expect(presence.nextNotice()).toBeUndefined();
});

test('somebody who types is news once, and stops at their time', () => {
  const presence = new Presence();
  expect(presence.handleTyping('c', 'u', 500)).toBe(true);
  expect(presence.handleTyping('c', 'u', 900)).toBe(false);
  expect(presence.typingDeadline()).toBe(900);
  expect(presence.expireTyping(899)).toEqual([]);
  expect(presence.expireTyping(900)).toMatchObject([{ conversation: 'c', user: 'u' }]);
  expect(presence.stopTyping('c', 'u')).toBe(false);
});

test('1,024 people type at once at most', () => {
  const presence = new Presence();
  const news = users(1_100).filter((user) => presence.handleTyping('c', user, 1));
  expect(news).toHaveLength(1_024);
});
