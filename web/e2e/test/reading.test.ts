/** Reading a chat: where it opens and stays, what its times say, and what leads where. */
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { choose, drawn, enter, field, line, list, log, message, rowTops } from '../src/chat.ts';
import { notice } from '../src/frame.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let page: Page;
let walk: string;
let shift: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  walk = await group('Harbour walk', ann, bob);
  shift = await group('Night shift', ann, bob);
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
  // Until the wheel has come to rest.
  let before: Record<string, number> = {};
  await expect
    .poll(async () => {
      const last = before;
      await drawn(page);
      before = await rowTops(page);
      return Object.entries(before).every(([key, top]) => last[key] === top);
    })
    .toBe(true);
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
  await field(page).fill('word '.repeat(14));
  await page.setViewportSize({ width: 500, height: 700 });
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
  await late.goto(`${stage.server.http}/u/0/c/${shift}`);
  await log(late).getByText('Today', { exact: true }).waitFor();
  await late.clock.fastForward('24:00:00');
  await log(late).getByText('Yesterday', { exact: true }).waitFor();
  expect(await log(late).getByText('Today', { exact: true }).count()).toBe(0);
  await line(late, 'Night shift').getByText('Yesterday').waitFor();
  await late.close();
});

/** The message that was jumped to. */
const jumpedTo = (text: string) =>
  page.waitForFunction(
    (text) => document.querySelector('.highlighted .text')?.textContent === text,
    text,
  );

test('pinned messages stand on top, each click leads to the one before, and so does the row that says it', async () => {
  const client = await ann.script();
  const to = { type: 'conversation', conversation: walk } as const;
  const { entries } = await client.history(walk, { type: 'latest' });
  for (const text of ['message 5', 'message 40']) {
    const found = entries.find((entry) => entry.type === 'message' && entry.text === text);
    const { localId } = await client.submit(to, { type: 'pin', seq: found?.seq ?? 0 });
    await client.committed(localId);
  }
  const bar = page.getByRole('region', { name: 'Pinned' });
  for (const [place, text] of [
    ['2 of 2', 'message 40'],
    ['1 of 2', 'message 5'],
    ['2 of 2', 'message 40'],
  ] as const) {
    await bar.getByRole('button', { name: new RegExp(`${place}.*${text}$`) }).click();
    await jumpedTo(text);
  }
  await bar.getByRole('button', { name: 'Unpin' }).click();
  await bar.getByRole('button', { name: /Pinned message .*message 40/ }).waitFor();
  await field(page).focus();
  await page.keyboard.press('Control+End');
  await log(page).getByTitle('Go to the pinned message').last().click();
  await jumpedTo('message 40');
});

test('unread mentions are gone through, oldest first, by button and keys', async () => {
  const client = await bob.script();
  const to = { type: 'conversation', conversation: walk } as const;
  await page.getByRole('region', { name: 'Pinned' }).getByRole('button').first().click();
  for (const text of [
    '@ann one',
    ...Array.from({ length: 40 }, (_, i) => `between ${i}`),
    '@ann two',
  ]) {
    const who = { type: 'user', user: ann.user.id } as const;
    const mentions = text.startsWith('@') ? [{ start: 0, length: 4, who }] : [];
    await client.committed((await client.submit(to, { type: 'text', text, mentions })).localId);
  }
  await page.getByRole('button', { name: 'To the next mention of you, 2 unread' }).click();
  await jumpedTo('@ann one');
  await page.keyboard.press('Control+Shift+End');
  await jumpedTo('@ann two');
  await page.getByRole('button', { name: /next mention/ }).waitFor({ state: 'detached' });
});

test('a name leads to the profile or into the field, a link to a message within the window', async () => {
  const link = `${stage.server.http}/c/${walk}/8`;
  await say(bob, { type: 'conversation', conversation: walk }, [`see ${link}`]);
  await field(page).focus();
  await page.keyboard.press('Control+End');
  await message(page, 'see http').getByRole('link', { name: link }).click();
  await page.waitForURL(`**/u/0/c/${walk}/8`);
  await page.waitForFunction(() => document.querySelector('.highlighted'));
  expect(page.context().pages().length).toBe(1);
  await log(page).getByRole('link', { name: 'bob' }).first().click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Mention bob' }).click();
  await expect.poll(() => field(page).inputValue()).toBe('@bob ');
  await field(page).fill('');
  await log(page).getByRole('link', { name: 'bob' }).first().click();
  await page.waitForURL(`**/people/${bob.user.id}`);
  // The same without an account in the address, as it is passed on.
  await page.goto(link);
  await page.waitForURL(`**/u/0/c/${walk}/8`);
  await page.waitForFunction(() => document.querySelector('.highlighted'));
});

test('several messages are selected by menu, Shift and keys, copied and deleted together', async () => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await say(ann, { type: 'conversation', conversation: walk }, [
    'pick one',
    'pick two',
    'pick three',
  ]);
  await field(page).focus();
  await page.keyboard.press('Control+End');
  const bar = page.getByRole('toolbar', { name: 'Selected messages' });
  await choose(page, 'pick one', 'Select');
  await bar.getByText('1 selected').waitFor();
  await page.keyboard.press('Escape');
  await bar.waitFor({ state: 'detached' });
  await message(page, 'pick one').click({ modifiers: ['Shift'] });
  await message(page, 'pick three').click({ modifiers: ['Shift'] });
  await bar.getByText('3 selected').waitFor();
  expect(await accessFaults(page)).toEqual([]);
  // The focus is on the first one chosen, where keys go on.
  await page.keyboard.press('Space');
  await bar.getByText('2 selected').waitFor();
  await bar.getByRole('button', { name: 'Copy text' }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^You, .*:\npick two\n\nYou, .*:\npick three$/);
  await message(page, 'pick one').click({ modifiers: ['Shift'] });
  await message(page, 'pick two').click();
  await bar.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('button', { name: 'Delete for everyone' }).click();
  for (const text of ['pick one', 'pick two'])
    await message(page, text).waitFor({ state: 'detached' });
  await message(page, 'pick three').waitFor();
  await bar.waitFor({ state: 'detached' });
});
