// The app without network, a new version of it, the keyboard alone, and addresses.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { PHONE } from '../src/browser.ts';
import { framed, nameField } from '../src/frame.ts';
import { PASSWORD } from '../src/people.ts';
import { CLIENT } from '../src/server.ts';
import { setStage } from '../src/stage.ts';

/** A copy of the built client, so that a new version can be put in its place. */
let built: string;

beforeAll(() => {
  built = mkdtempSync(join(tmpdir(), 'parley-web-'));
  cpSync(CLIENT, built, { recursive: true });
});
const stage = setStage(() => ({ set: { 'web.folder': built } }));
afterAll(() => rmSync(built, { recursive: true }));

const workerReady = (page: Page) =>
  page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (navigator.serviceWorker.controller !== null) return;
    await new Promise((done) =>
      navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }),
    );
  });

test('opens without the server, and finds it again', async () => {
  const person = await stage.person('mia');
  const device = await stage.device(person, { serviceWorkers: 'allow' });
  const page = await device.page('/u/0/settings/privacy');
  await framed(page);
  await workerReady(page);
  await stage.server.kill();

  const again = await device.context.newPage();
  await again.goto(`${stage.server.http}/u/0/settings/appearance`);
  await again.getByRole('heading', { name: 'Appearance' }).waitFor();
  await stage.server.restart();
  await again.getByRole('link', { name: 'Privacy' }).click();
  await again.getByRole('switch', { name: 'Read receipts' }).waitFor({ timeout: 60_000 });
});

test('says that a part of the app could not be loaded, and loads it when asked again', async () => {
  const device = await stage.device(await stage.person('pia'));
  const page = await device.page('/sign-in');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const scripts = await page.evaluate(() =>
    performance.getEntriesByType('resource').map((entry) => entry.name),
  );
  // Settings and what else is opened rarely are not waited for.
  expect(scripts.filter((name) => /Settings|GroupInfo|_emoji/.test(name))).toEqual([]);
  const parts = '**/assets/Settings*.js';
  await device.context.route(parts, (route) => route.abort());
  await page.goto(`${stage.server.http}/u/0/settings/privacy`);
  await framed(page);
  const failed = page.getByRole('alert').filter({ hasText: 'could not be loaded' });
  await failed.first().waitFor();
  expect(await accessFaults(page)).toEqual([]);
  await device.context.unroute(parts);
  await failed.first().getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('switch', { name: 'Read receipts' }).waitFor();
  device.expectComplaints(/dynamically imported module/);
});

test('offers a new version and changes to it on request alone', async () => {
  const person = await stage.person('noa');
  const device = await stage.device(person, { serviceWorkers: 'allow' });
  const page = await device.page('/');
  await framed(page);
  await workerReady(page);

  // The next build: another index.html, and a service worker of another version.
  const index = readFileSync(join(built, 'index.html'), 'utf8');
  writeFileSync(join(built, 'index.html'), index.replace('<html', '<html data-build="next"'));
  const worker = readFileSync(join(built, 'sw.js'), 'utf8');
  const version = /VERSION = ["']([0-9a-f]{16})["']/.exec(worker)?.[1] ?? '';
  expect(version).not.toBe('');
  writeFileSync(join(built, 'sw.js'), worker.replaceAll(version, '0123456789abcdef'));
  await stage.server.restart();

  const build = () => page.evaluate(() => document.documentElement.dataset.build);
  await page.reload();
  await framed(page);
  expect(await build()).toBeUndefined();
  await page.getByText('A new version is ready.').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Reload' }).click();
  await expect.poll(build, { timeout: 30_000 }).toBe('next');
  await framed(page);
});

test('everything around the chat works by keyboard', async () => {
  const person = await stage.person('oda');
  const device = await stage.device(person);
  await device.context.clearCookies();
  const page = await device.page('/sign-in');
  await nameField(page).waitFor();
  const focused = () =>
    page.evaluate(
      () =>
        document.activeElement?.getAttribute('aria-label') ??
        document.activeElement?.textContent?.trim() ??
        '',
    );
  const tabTo = async (name: RegExp) => {
    for (let step = 0; step < 40; step++) {
      await page.keyboard.press('Tab');
      if (name.test(await focused())) return;
    }
    throw new Error(`never reached ${name}`);
  };
  await nameField(page).focus();
  await page.keyboard.type('oda');
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await framed(page);

  await tabTo(/^Settings/);
  await page.keyboard.press('Enter');
  await tabTo(/^Appearance/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Appearance' }).waitFor();

  await page.keyboard.press('Control+/');
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await help.waitFor();
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'hidden' });

  // Around the parts of the window.
  const place = () =>
    page.evaluate(() => document.activeElement?.closest('[data-landmark]')?.tagName ?? '');
  const seen = new Set<string>();
  for (let step = 0; step < 3; step++) {
    await page.keyboard.press('Control+F6');
    seen.add(await place());
  }
  expect([...seen].sort()).toEqual(['MAIN', 'NAV', 'SECTION']);

  // A menu, after the pattern: arrows, letters, Escape, and focus back.
  await tabTo(/^Account of oda/);
  await page.keyboard.press('Enter');
  await page.getByRole('menu', { name: 'Accounts' }).waitFor();
  expect(await focused()).toBe('oda');
  await page.keyboard.press('ArrowUp');
  expect(await focused()).toBe('Sign out');
  await page.keyboard.press('p');
  expect(await focused()).toBe('Profile');
  await page.keyboard.press('Escape');
  await page.getByRole('menu').waitFor({ state: 'detached' });
  expect(await focused()).toMatch(/^Account of oda/);
});

test('one column on phones, with a way back; odd addresses are said to be odd', async () => {
  const person = await stage.person('pip');
  const device = await stage.device(person, PHONE);
  const page = await device.page('/u/0/settings');
  await page.getByRole('link', { name: 'Privacy' }).click();
  await page.getByRole('heading', { name: 'Privacy' }).waitFor();
  expect(await page.getByRole('navigation', { name: 'Main' }).isVisible()).toBe(false);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(390);
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
  await page.goBack();
  await page.goForward();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();

  await page.goto(`${stage.server.http}/u/0/settings/devices`);
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByRole('heading', { name: 'Settings' }).waitFor();

  await page.goto(`${stage.server.http}/u/0/c/nothing`);
  await page.getByRole('heading', { name: 'Nothing is here' }).waitFor();
});
