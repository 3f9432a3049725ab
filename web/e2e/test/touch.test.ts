/** What fingers do on a phone: swipe, long press, the sheet of a message, the emoji. */

import type { CDPSession, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { PHONE } from '../src/browser.ts';
import { field, message } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { picture } from '../src/pictures.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let page: Page;
let finger: CDPSession;

beforeAll(async () => {
  ann = await stage.person('ann');
  const bob = await stage.person('bob');
  const conversation = await group('Touched', bob, ann);
  await say(bob, { type: 'conversation', conversation }, ['first', 'second', 'third']);
  const device = await stage.device(ann, PHONE);
  page = await device.page(`/u/0/c/${conversation}`);
  finger = await device.context.newCDPSession(page);
  await message(page, 'third').waitFor();
});

const at = async (text: string, part = '.bubble'): Promise<{ x: number; y: number }> => {
  const box = await message(page, text).locator(part).first().boundingBox();
  if (!box) throw new Error(`no ${text}`);
  return { x: box.x + 40, y: box.y + box.height / 2 };
};

const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x = 0, y = 0) =>
  finger.send('Input.dispatchTouchEvent', {
    type,
    touchPoints: type === 'touchEnd' ? [] : [{ x, y }],
  });

async function swipe(text: string, by: number): Promise<void> {
  const { x, y } = await at(text);
  await touch('touchStart', x, y);
  for (let i = 1; i <= 6; i++) await touch('touchMove', x + (by * i) / 6, y);
  await touch('touchEnd');
}

test('a swipe answers, a short one and one the other way do not', async () => {
  const target = page.locator('.composer .about');
  await swipe('first', 30);
  await swipe('second', -100);
  await swipe('third', 100);
  await target.getByText('third').waitFor();
  await page.getByRole('button', { name: 'Cancel reply' }).click();
  await target.waitFor({ state: 'detached' });
  expect(await page.locator('.swiped').count()).toBe(0);
});

test('a long press opens the sheet: six reactions, all others, and what can be done', async () => {
  const { x, y } = await at('second');
  await touch('touchStart', x, y);
  const menu = page.getByRole('menu');
  await menu.waitFor();
  await touch('touchEnd');
  const box = await menu.boundingBox();
  const { height, width } = page.viewportSize() ?? { height: 0, width: 0 };
  expect([box?.x, box?.width, Math.round((box?.y ?? 0) + (box?.height ?? 0))]).toEqual([
    0,
    width,
    height,
  ]);
  expect(await menu.getByRole('group', { name: 'Reactions' }).getByRole('menuitem').count()).toBe(
    7,
  );
  expect(await accessFaults(page)).toEqual([]);
  await picture(page, 'touch-sheet');
  // Beside it nothing happens but that it closes.
  await page.touchscreen.tap(width / 2, 120);
  await menu.waitFor({ state: 'detached' });
});

test('the emoji do not bring up the keyboard, and remember what was used, in which tone', async () => {
  const { x, y } = await at('second');
  await touch('touchStart', x, y);
  await page.getByRole('menuitem', { name: 'Another reaction…' }).waitFor();
  await touch('touchEnd');
  await page.getByRole('menuitem', { name: 'Another reaction…' }).tap();
  const picker = page.getByRole('dialog', { name: 'Emoji' });
  await picker.getByRole('button', { name: /^😀/ }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('INPUT');
  await picker.getByRole('button', { name: /^Skin tone/ }).tap();
  await picker.getByRole('button', { name: 'Dark skin tone', exact: true }).tap();
  await picker.getByRole('button', { name: 'People' }).tap();
  await picture(page, 'touch-emoji');
  expect(await accessFaults(page)).toEqual([]);
  await picker.getByRole('button', { name: /^👋🏿/ }).tap();
  await message(page, 'second').getByRole('button', { name: /👋🏿/ }).waitFor();
  await page.getByRole('button', { name: 'Emoji', exact: true }).tap();
  await picker.getByRole('button', { name: 'Recently used', pressed: true }).waitFor();
  await picker.getByRole('button', { name: /^👋🏿/ }).tap();
  expect(await field(page).inputValue()).toBe('👋🏿');
});

test('a long press on a reaction says who reacted', async () => {
  const { x, y } = await at('second', '.reaction');
  await touch('touchStart', x - 20, y);
  const dialog = page.getByRole('dialog', { name: 'Reactions' });
  await dialog.getByText('You').waitFor();
  await touch('touchEnd');
  await picture(page, 'touch-reactions');
  await dialog.getByRole('button', { name: 'Close' }).tap();
  // The reaction is there still: the press took nothing back.
  await dialog.waitFor({ state: 'detached' });
  await message(page, 'second').getByRole('button', { name: /👋🏿/ }).waitFor();
});
