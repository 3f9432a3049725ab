/** Which conversations are looked at, and how many go side by side. */

import { expect, test } from 'vitest';
import { Schedule } from '../../src/machine/schedule.ts';

/** Looks at all that are ready and notes their names. */
function look(schedule: Schedule, found: number | 'wait' | undefined): string[] {
  const seen: string[] = [];
  schedule.next((id) => {
    seen.push(id);
    return found;
  });
  return seen;
}

test('one that found something stays ready, one that found nothing is forgotten', () => {
  const schedule = new Schedule();
  schedule.wake('a');
  schedule.wake('b');
  const found = schedule.next((id) => (id === 'b' ? { id } : undefined));
  expect(found).toEqual({ id: 'b' });
  expect(look(schedule, undefined)).toEqual(['b']);
  expect(look(schedule, undefined)).toEqual([]);
});

test('one that is put off comes back at its time', () => {
  const schedule = new Schedule();
  schedule.wake('a');
  look(schedule, 500);
  expect(schedule.deadline()).toBe(500);
  schedule.handleTimeout(499);
  expect(look(schedule, undefined)).toEqual([]);
  schedule.handleTimeout(500);
  expect(schedule.deadline()).toBe(Number.POSITIVE_INFINITY);
  expect(look(schedule, undefined)).toEqual(['a']);
});

test('eight descriptions and eight fetches go side by side, and two wait for each that ends', () => {
  const schedule = new Schedule();
  for (let n = 0; n < 8; n++) expect(schedule.start('describe')).toBe(true);
  expect(schedule.start('describe')).toBe(false);
  expect(schedule.start('fetch')).toBe(true);
  for (const id of ['a', 'b', 'c']) schedule.wake(id);
  look(schedule, 'wait');
  expect(look(schedule, undefined)).toEqual([]);
  schedule.finish('describe');
  expect(look(schedule, undefined)).toEqual(['a', 'b']);
  expect(schedule.start('describe')).toBe(true);
  expect(schedule.start('describe')).toBe(false);
});

test('the end of a session frees everything; an answer too many takes nothing below zero', () => {
  const schedule = new Schedule();
  for (let n = 0; n < 8; n++) schedule.start('fetch');
  schedule.wake('a');
  look(schedule, 100);
  schedule.endSession();
  schedule.finish('fetch');
  for (let n = 0; n < 8; n++) expect(schedule.start('fetch')).toBe(true);
  expect(schedule.start('fetch')).toBe(false);
  expect(schedule.deadline()).toBe(Number.POSITIVE_INFINITY);
});
