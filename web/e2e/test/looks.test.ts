// Every screen around the chat: nothing serious for the accessibility checker, nothing wider than the window, and a
// picture, on desktop and phone, light and dark, and from right to left.

import type { BrowserContextOptions } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { DESKTOP, type Device, PHONE } from '../src/browser.ts';
import type { Person } from '../src/people.ts';
import { picture } from '../src/pictures.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let person: Person;
let other: Person;

beforeAll(async () => {
  [person, other] = await Promise.all([stage.person('quinn'), stage.person('rosa')]);
  const [mine, theirs] = [await person.script(), await other.script()];
  await mine.changeProfile({ displayName: 'Quinn Abara', about: 'Mostly harmless.' });
  await theirs.changeProfile({ displayName: 'روزا حداد', about: 'مرحبا' });
  await mine.addContact(other.user.id);
});

const looks: [string, BrowserContextOptions][] = [
  ['desktop-light', { ...DESKTOP, colorScheme: 'light' }],
  ['desktop-dark', { ...DESKTOP, colorScheme: 'dark' }],
  ['phone-light', { ...PHONE, colorScheme: 'light' }],
  ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
  ['desktop-rtl', { ...DESKTOP, colorScheme: 'light', locale: 'ar' }],
  ['phone-rtl', { ...PHONE, colorScheme: 'dark', locale: 'ar' }],
];

describe.each(looks)('%s', (look, options) => {
  test('signing in and up', async () => {
    const device = await stage.blankDevice(options);
    for (const path of ['sign-in', 'sign-up']) await check(device, `/${path}`, `${path}-${look}`);
  });

  test('the frame, people and settings', async () => {
    const device = await stage.device(person, options);
    const screens = {
      people: '/u/0/people',
      person: `/u/0/people/${other.user.id}`,
      settings: '/u/0/settings',
      profile: '/u/0/settings/profile',
      appearance: '/u/0/settings/appearance',
      privacy: '/u/0/settings/privacy',
      notifications: '/u/0/settings/notifications',
      devices: '/u/0/settings/devices',
      blocked: '/u/0/settings/blocked',
      account: '/u/0/settings/account',
      keyboard: '/u/0/settings/keyboard',
      unknown: '/nothing',
    };
    for (const [name, path] of Object.entries(screens))
      await check(device, path, `${name}-${look}`);
  });
});

async function check(device: Device, path: string, name: string): Promise<void> {
  const page = await device.page(path);
  await page.getByRole('heading').first().waitFor();
  // What is loaded has come when nothing turns any more.
  await expect.poll(() => page.locator('.spinner').count(), { timeout: 60_000 }).toBe(0);
  expect(await accessFaults(page), name).toEqual([]);
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  expect(scrollWidth, `${name} is wider than the window`).toBeLessThanOrEqual(clientWidth);
  await picture(page, name);
  await page.close();
}
