/** What is unread: on the tab's title and icon, in the list alone when asked, and put back by hand. */

import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { enter, list, message } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let page: Page;
let conversation: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  conversation = await group('Harbour walk', bob, ann);
  await group('Night shift', bob, ann);
  page = await (await stage.device(ann)).page('/u/0');
  await line('Harbour walk').waitFor();
});

const line = (name: string) => list(page).getByRole('link').filter({ hasText: name });

/** Resolves when the tab's icon has the red of a number on it, or has not. */
const icon = (numbered: boolean) =>
  page.waitForFunction(async (numbered) => {
    const href = document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? '';
    const image = new Image();
    image.src = href;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 64;
    const context = canvas.getContext('2d');
    context?.drawImage(image, 0, 0, 64, 64);
    // Left of the number, inside its background.
    const [red = 0, green = 0] = context?.getImageData(30, 44, 1, 1).data ?? [];
    return (red > 150 && green < 80) === numbered;
  }, numbered);

test('title and icon say how much is unread, and stop when it was read', async () => {
  await icon(false);
  await say(bob, { type: 'conversation', conversation }, ['one', 'two', 'three']);
  await page.waitForFunction(() => document.title.includes('3'));
  await icon(true);
  await page.bringToFront();
  await enter(page, 'Harbour walk');
  await message(page, 'three').waitFor();
  await page.waitForFunction(() => document.title === 'Parley');
  await icon(false);
});

test('a chat is marked as unread, shown alone with what is unread, and marked as read', async () => {
  await enter(page, 'Night shift');
  const walk = line('Harbour walk');
  await walk.click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Mark as unread' }).click();
  await walk.getByRole('img', { name: 'Marked as unread' }).waitFor();
  await icon(true);
  // The open one stays as long as it is open.
  await page.goto(`${stage.server.http}/u/0`);
  await line('Night shift').waitFor();
  await page.getByRole('button', { name: 'Unread', exact: true }).click();
  await line('Night shift').waitFor({ state: 'detached' });
  await walk.waitFor();
  expect(await list(page).getByRole('link').count()).toBe(1);
  expect(await accessFaults(page)).toEqual([]);
  await walk.click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Mark as read' }).click();
  await list(page).getByText('Nothing found').waitFor();
  await icon(false);
  await page.getByRole('button', { name: 'Unread', exact: true }).click();
  await line('Night shift').waitFor();
});
