/** Search in a chat: to the beginning of a long history, by keyboard, in any writing, and the way back. */

import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { type Device, PHONE } from '../src/browser.ts';
import { log, message } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { picture } from '../src/pictures.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

const COUNT = 3_000;

let ann: Person;
let bob: Person;
let device: Device;
let page: Page;
let conversation: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  conversation = await group('Long one', bob, ann);
  const to = { type: 'conversation', conversation } as const;
  await say(bob, to, [
    'Where is the LIGHTHÖUSE key?',
    '我们在北京大学见面',
    'السَّلامُ عَلَيْكُم يا أحمد',
  ]);
  await say(
    bob,
    to,
    Array.from({ length: COUNT }, (_, i) => `talk ${i}`),
  );
  const last = await say(bob, to, [
    'the lighthouse again',
    '<img src=x onerror=alert(1)> lighthouse',
  ]);
  // Read to the end on another device, so that it opens there.
  const script = await ann.script();
  await script.history(conversation, { type: 'latest' });
  await script.markRead(conversation, last);
  device = await stage.device(ann);
  page = await device.page(`/u/0/c/${conversation}`);
  await message(page, 'the lighthouse again').waitFor();
});

const field = () => page.getByRole('combobox', { name: 'Search in this chat' });
const results = () => page.getByRole('listbox', { name: 'Messages found' }).getByRole('option');

test('finds the first message of thousands that were never loaded, and leads there and back', async () => {
  // The row under the eye, to come back to.
  await page.keyboard.press('Control+f');
  await field().waitFor();
  await page.keyboard.type('lighthouse');
  await page.getByRole('option', { name: /LIGHTHÖUSE key/ }).waitFor();
  expect(await results().count()).toBe(3);
  await page.getByRole('status').filter({ hasText: '3 messages found' }).waitFor();
  expect(await page.locator('mark').allTextContents()).toEqual([
    'lighthouse',
    'lighthouse',
    'LIGHTHÖUSE',
  ]);
  expect(await page.locator('.search img').count()).toBe(0);
  expect(await accessFaults(page)).toEqual([]);
  await picture(page, 'search-light');
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowDown');
  await page.getByText('3 of 3').waitFor();
  await page.keyboard.press('Enter');
  await log(page).locator('.highlighted', { hasText: 'LIGHTHÖUSE key' }).waitFor();
  // The keys are still those of the search: up to the newer one, and there.
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await log(page).locator('.highlighted', { hasText: 'the lighthouse again' }).waitFor();
  await page.keyboard.press('Shift+Enter');
  await page.getByText('1 of 3').waitFor();
  await page.getByRole('button', { name: 'Older result' }).click();
  await page.getByRole('button', { name: 'Older result' }).click();
  await log(page).locator('.highlighted', { hasText: 'LIGHTHÖUSE key' }).waitFor();
  await page.getByRole('button', { name: 'Back', exact: true }).last().click();
  await log(page).locator('.highlighted', { hasText: 'onerror' }).waitFor();
  await field().press('Escape');
  await field().waitFor({ state: 'detached' });
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
});

test('finds Chinese and Arabic in the middle of a sentence', async () => {
  await page.keyboard.press('Control+f');
  await field().fill('北京');
  await page.getByRole('option', { name: /我们在北京大学见面/ }).waitFor();
  await field().fill('احمد السلام');
  await page.getByRole('option', { name: /عَلَيْكُم/ }).waitFor();
  await field().fill('nothing like this');
  await page.getByText('Nothing found').first().waitFor();
});

test('pauses after many results and goes on when they are gone through, or can be stopped', async () => {
  await field().fill('talk');
  await page.getByRole('button', { name: 'Search further back' }).waitFor();
  const before = await results().count();
  expect(before).toBeGreaterThanOrEqual(100);
  expect(before).toBeLessThan(400);
  await page.getByRole('button', { name: 'Search further back' }).click();
  await page.waitForFunction(
    (count) => document.querySelectorAll('[role=option]').length > count,
    before,
  );
  // Again and again, until there are as many as are kept.
  for (let i = 0; i < 20; i++) {
    const more = page.getByRole('button', { name: 'Search further back' });
    const full = page.getByText('These are the newest 1,000');
    await more.or(full).waitFor();
    if (await full.isVisible()) break;
    // It may be gone by then: the last lot filled it.
    await more.click({ timeout: 5_000 }).catch(() => undefined);
  }
  expect(await results().count()).toBe(1_000);
});

test('what comes while it is open is found too', async () => {
  await field().fill('fresh news');
  await page.getByText('Nothing found').first().waitFor();
  await say(bob, { type: 'conversation', conversation }, ['fresh news at last']);
  await page.getByRole('option', { name: /fresh news at last/ }).waitFor();
  await field().press('Escape');
});

for (const look of [
  {
    name: 'search-phone-dark',
    options: { ...PHONE, colorScheme: 'dark' as const },
    locale: 'en-GB',
  },
  { name: 'search-phone-arabic', options: PHONE, locale: 'ar' },
]) {
  test(`nothing serious for ${look.name}`, async () => {
    const phone = await stage.device(ann, { ...look.options, locale: look.locale });
    const small = await phone.page(`/u/0/c/${conversation}`);
    await small.getByRole('log').waitFor();
    await small.keyboard.press('Control+f');
    await small.getByRole('combobox').fill('lighthouse');
    await small.getByRole('option', { name: /LIGHTHÖUSE key/ }).waitFor();
    expect(await accessFaults(small)).toEqual([]);
    await picture(small, look.name);
    // On a phone the results make room for the message.
    await small.getByRole('option', { name: /LIGHTHÖUSE key/ }).click();
    await small.locator('.highlighted', { hasText: 'LIGHTHÖUSE key' }).waitFor();
    expect(await small.getByRole('option').count()).toBe(0);
    expect(await small.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(
      true,
    );
  });
}
