import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { agoText, clockText, dayText, followClock } from '../src/i18n';
import { seenText } from '../src/people/seen';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-03-03T23:58:30') });
});
afterEach(() => {
  vi.useRealTimers();
});

it('day words and times follow the clock, with nobody touching the page', () => {
  const stop = followClock();
  const at = Date.now();
  const time = clockText(at);
  const said = () => [
    dayText(at),
    agoText(at),
    seenText({ user: { id: 'u', name: 'u' }, online: false, lastSeenMs: at }),
  ];
  expect(said()).toEqual(['Today', time, 'Last seen just now']);
  vi.advanceTimersByTime(80_000);
  expect(said().slice(0, 2)).toEqual(['Today', time]);
  vi.advanceTimersByTime(60_000);
  expect(said()).toEqual(['Yesterday', 'Yesterday', 'Last seen 1 minute ago']);
  stop();
});
