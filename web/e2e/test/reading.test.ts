/** Reading a chat: where it opens and stays, what its times say, and what leads where. */
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { drawn, enter, field, line, list, log, message, rowTops } from '../src/chat.ts';
import { notice } from '../src/frame.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let page: Page;
let walk: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  walk = await group('Harbour walk', ann, bob);
  await group('Night shift', ann, bob);
  await say(
    bob,
    { type: 'conversation', conversation: walk },
    Array.from({ length: 60 }, (_, i) => `message ${i}`),
  );
  page = await (await stage.device(ann)).page(`/u/0/c/${walk}`);
  await log(page).getByRole('article').first().waitFor();
});

test('a link to a message that is gone says so', async () => {
  await page.goto(`${stage.server.http}/u/0/c/${walk}/99999`);
  await notice(page, 'That message is not there any more.').waitFor();
});

test('who comes back to a chat goes on where they were', async () => {
  await page.goto(`${stage.server.http}/u/0/c/${walk}`);
  await field(page).focus();
  await page.keyboard.press('Control+End');
  const box = await log(page).boundingBox();
  await page.mouse.move((box?.x ?? 0) + 200, (box?.y ?? 0) + 200);
  await message(page, 'message 59').waitFor();
  await list(page).getByText('unread message').waitFor({ state: 'detached' });
  await page.mouse.wheel(0, -900);
  await expect.poll(async () => Object.keys(await rowTops(page)).includes('s62')).toBe(false);
  await drawn(page);
  const before = await rowTops(page);
  await enter(page, 'Night shift');
  await enter(page, 'Harbour walk');
  await log(page).getByRole('article').first().waitFor();
  await expect.poll(async () => Object.keys(await rowTops(page)).length).toBeGreaterThan(5);
  const shared = async () => {
    const after = await rowTops(page);
    return Object.entries(before).map(([key, top]) => Math.abs((after[key] ?? 1e6) - top));
  };
  await expect.poll(async () => Math.max(...(await shared()))).toBeLessThan(3);
  // With something new it opens there.
  await enter(page, 'Night shift');
  await say(bob, { type: 'conversation', conversation: walk }, ['something new']);
  await line(page, 'something new').waitFor();
  await enter(page, 'Harbour walk');
  await message(page, 'something new').waitFor();
});

test('the field is as high as its text when the window gets wider again', async () => {
  const height = async () => (await field(page).boundingBox())?.height ?? 0;
  const one = await height();
  await field(page).fill('word '.repeat(24));
  await page.setViewportSize({ width: 700, height: 700 });
  await expect.poll(height).toBeGreaterThan(one * 1.4);
  await page.setViewportSize({ width: 1600, height: 800 });
  await expect.poll(height).toBeLessThan(one * 1.2);
  await field(page).fill('');
  await page.setViewportSize({ width: 1280, height: 800 });
});

test('days and times follow the clock over midnight', async () => {
  const device = await stage.device(ann);
  const late = await device.context.newPage();
  await late.clock.install({ time: Date.now() });
  await late.goto(`${stage.server.http}/u/0/c/${walk}`);
  await log(late).getByText('Today', { exact: true }).waitFor();
  await late.clock.fastForward('24:00:00');
  await log(late).getByText('Yesterday', { exact: true }).waitFor();
  expect(await log(late).getByText('Today', { exact: true }).count()).toBe(0);
  await line(late, 'Harbour walk').getByText('Yesterday').waitFor();
  await late.close();
});
