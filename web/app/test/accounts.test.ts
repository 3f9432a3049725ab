import { describe, expect, it } from 'vitest';
import { type Account, corrected, readAccounts, slotFor } from '../src/app/accounts.svelte';
import { describe as describeBrowser } from '../src/app/browser';
import { wanted } from '../src/app/notifications';

const account = (slot: number, name = `user${slot}`, expired = false): Account => ({
  slot,
  name,
  userId: `id-${name}`,
  deviceId: `device-${slot}`,
  expired,
});

describe('accounts of the browser', () => {
  it('come back as they were stored', () => {
    const both = [account(0), account(3, 'ann', true)];
    expect(readAccounts(JSON.stringify(both))).toEqual(both);
  });

  it('are left out when they are none', () => {
    const odd = [null, 7, {}, { ...account(1), slot: 8 }, { ...account(1), slot: 0.5 }, account(2)];
    expect(readAccounts(JSON.stringify(odd))).toEqual([account(2)]);
    expect(readAccounts('{')).toEqual([]);
    expect(readAccounts('{}')).toEqual([]);
  });

  it('follow the server, and keep whom it no longer knows for signing in again', () => {
    const known = [account(0), account(1)];
    expect(corrected(known, [account(1), account(2)])).toEqual([
      account(0, 'user0', true),
      account(1),
      account(2),
    ]);
  });

  it('have a slot each', () => {
    const full = Array.from({ length: 8 }, (_, slot) => account(slot));
    expect(slotFor([], 'ann')).toBe(0);
    expect(slotFor([account(0), account(1)], 'ann')).toBe(2);
    expect(slotFor([account(0), account(1, 'ann', true)], 'ann')).toBe(1);
    expect(slotFor(full, 'ann')).toBeUndefined();
    expect(slotFor(full, 'user5')).toBe(5);
  });
});

describe('what a browser is called', () => {
  it.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36',
      'Chrome on Linux',
    ],
    [
      'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0',
      'Edge on Windows',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) AppleWebKit/605 Version/17.5 Safari/605',
      'Safari on macOS',
    ],
    ['Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0', 'Firefox on Android'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) CriOS/120 Safari/605',
      'Chrome on iPhone',
    ],
    ['curl', 'Browser'],
  ])('%s', (agent, name) => {
    expect(describeBrowser(agent)).toBe(name);
  });
});

describe('notifications', () => {
  const message = { own: false, mentionsMe: false, deleted: false };
  const on = { notify: true };
  const all = { mutedUntilMs: 0, level: 'all' } as const;

  it('come for what somebody else wrote', () => {
    expect(wanted(message, all, on, 5)).toBe(true);
  });

  it.each([
    ['off', message, all, { notify: false }],
    ['own', { ...message, own: true }, all, on],
    ['deleted', { ...message, deleted: true }, all, on],
    ['muted', message, { ...all, mutedUntilMs: 6 }, on],
    ['muted for ever', message, { ...all, mutedUntilMs: Number.POSITIVE_INFINITY }, on],
    ['none', { ...message, mentionsMe: true }, { ...all, level: 'none' as const }, on],
    ['mentions only', message, { ...all, level: 'mentions' as const }, on],
  ])('do not come when %s', (_, what, preferences, device) => {
    expect(wanted(what, preferences, device, 5)).toBe(false);
  });

  it('come again after the mute, and for mentions', () => {
    expect(wanted(message, { ...all, mutedUntilMs: 5 }, on, 5)).toBe(true);
    expect(wanted({ ...message, mentionsMe: true }, { ...all, level: 'mentions' }, on, 5)).toBe(
      true,
    );
  });
});
