/** Two people with three devices: writing, answering, reading, reacting, editing, deleting, drafts. */
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { PHONE } from '../src/browser.ts';
import { choose, enter, field, list, log, message, write } from '../src/chat.ts';
import type { Person } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let laptop: Page;
let phone: Page;
let desk: Page;

async function open(person: Person, options?: Parameters<Person['device']>[1]): Promise<Page> {
  const device = await stage.device(person, options);
  return device.page('/u/0');
}

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  laptop = await open(ann);
  phone = await open(ann, PHONE);
  desk = await open(bob);
});

test('a first message makes the conversation on all three devices', async () => {
  await laptop.goto(`${stage.server.http}/u/0/to/${bob.user.id}`);
  await write(laptop, 'Hello Bob');
  await message(laptop, 'Hello Bob').waitFor();
  await list(desk).getByText('Hello Bob').waitFor();
  await list(phone).getByText('Hello Bob').waitFor();
  // Unread at Bob's, not at Ann's.
  await list(desk).getByText('One unread message').waitFor();
  expect(await list(phone).getByText('unread message').count()).toBe(0);
});

test('ticks follow the reader, once he has looked at it', async () => {
  await enter(desk, 'ann');
  await message(desk, 'Hello Bob').waitFor();
  // Before Bob answers nothing of his reading is shown; with the answer it is.
  await write(desk, 'Hello Ann');
  await message(laptop, 'Hello Ann').waitFor();
  await message(laptop, 'Hello Bob').getByRole('img', { name: 'Read' }).waitFor();
  await enter(phone, 'bob');
  await message(phone, 'Hello Bob').getByRole('img', { name: 'Read' }).waitFor();
});

test('everyone has the same order', async () => {
  for (let i = 0; i < 5; i++) {
    await write(laptop, `laptop ${i}`);
    await write(desk, `desk ${i}`);
    await write(phone, `phone ${i}`);
  }
  const texts: string[][] = [];
  for (const page of [laptop, phone, desk]) {
    await message(page, 'laptop 4').waitFor();
    await message(page, 'desk 4').waitFor();
    await message(page, 'phone 4').waitFor();
    // All of them are committed when no row waits any more.
    await page.waitForFunction(
      () => !document.querySelector('[role=log] .ticks.sending, [role=log] .ticks.queued'),
    );
    texts.push(
      (await log(page).locator('.text').allTextContents()).filter((text) =>
        /^(laptop|desk|phone) \d$/.test(text),
      ),
    );
  }
  expect(texts[0]?.length).toBe(15);
  expect(texts[1]).toEqual(texts[0]);
  expect(texts[2]).toEqual(texts[0]);
});

test('an answer shows what it answers, and leads there', async () => {
  await choose(desk, 'Hello Bob', 'Reply');
  await write(desk, 'Hello Ann, too');
  const answer = message(laptop, 'Hello Ann, too');
  await answer.getByTitle('Go to the message this answers').click();
  await message(laptop, 'Hello Bob').first().waitFor();
  await laptop.waitForFunction(() =>
    document.querySelector('.highlighted .text')?.textContent?.startsWith('Hello Bob'),
  );
});

test('reactions are seen by the other side and taken back', async () => {
  await choose(laptop, 'Hello Ann, too', 'React with 👍');
  const seen = message(desk, 'Hello Ann, too').getByRole('button', { name: /👍/ });
  await seen.waitFor();
  await seen.click();
  await message(laptop, 'Hello Ann, too').getByRole('button', { name: /👍 2/ }).waitFor();
  await message(laptop, 'Hello Ann, too').getByRole('button', { name: /👍 2/ }).click();
  await message(desk, 'Hello Ann, too').getByRole('button', { name: /👍 1/ }).waitFor();
});

test('an edit is seen on all devices', async () => {
  await choose(laptop, 'laptop 0', 'Edit');
  expect(await field(laptop).inputValue()).toBe('laptop 0');
  await write(laptop, 'laptop zero');
  for (const page of [laptop, phone, desk]) {
    await message(page, 'laptop zero').getByText('edited').waitFor();
    expect(await message(page, 'laptop 0').count()).toBe(0);
  }
});

test('deleted for all is gone for all, deleted for me only for me', async () => {
  await choose(laptop, 'laptop 1', 'Delete…');
  await laptop.getByRole('button', { name: 'Delete for everyone' }).click();
  for (const page of [laptop, phone, desk])
    await message(page, 'laptop 1').waitFor({ state: 'detached' });
  await choose(laptop, 'desk 1', 'Delete…');
  expect(await laptop.getByRole('button', { name: 'Delete for everyone' }).count()).toBe(0);
  await laptop.getByRole('button', { name: 'Delete for me' }).click();
  for (const page of [laptop, phone]) await message(page, 'desk 1').waitFor({ state: 'detached' });
  expect(await message(desk, 'desk 1').count()).toBe(1);
});

test('a pin is seen by both', async () => {
  await choose(desk, 'desk 2', 'Pin');
  await message(laptop, 'desk 2').getByLabel('pinned').waitFor();
  const pins = laptop.getByRole('region', { name: 'Pinned' });
  await pins.getByRole('button', { name: /desk 2/ }).click();
  await laptop.waitForFunction(() =>
    document.querySelector('.highlighted .text')?.textContent?.startsWith('desk 2'),
  );
  await pins.getByRole('button', { name: 'Unpin' }).click();
  await pins.waitFor({ state: 'detached' });
  // The head of a chat with somebody leads straight to them.
  await laptop.locator('section.conversation header').getByRole('link', { name: /bob/ }).click();
  await laptop.waitForURL(`**/people/${bob.user.id}`);
  await laptop.goBack();
  await message(laptop, 'desk 2').waitFor();
});

test('typing is seen while it goes on', async () => {
  await field(desk).pressSequentially('is anybody');
  await laptop.locator('section.conversation header').getByText('typing…').waitFor();
  await field(desk).fill('');
  await laptop
    .locator('section.conversation header')
    .getByText('typing…')
    .waitFor({ state: 'detached' });
});

test('a draft outlives a reload and comes to the other device', async () => {
  await field(laptop).fill('half a thou');
  await laptop.reload();
  await expect.poll(() => field(laptop).inputValue()).toBe('half a thou');
  await phone.goto(`${stage.server.http}/u/0`);
  await list(phone).getByText('half a thou').waitFor();
  await field(laptop).fill('');
});

test('a draft from elsewhere comes under the caret too, as long as nothing was written there', async () => {
  const client = await ann.script();
  const direct = async () =>
    (await client.conversations()).find((one) => one.peer?.id === bob.user.id);
  // What the test before took away is told to the server a moment later.
  const drafted = async () => (await direct())?.preferences.draft;
  await expect.poll(drafted, { timeout: 20_000 }).toBe('');
  await laptop.reload();
  await log(laptop).getByRole('article').first().waitFor();
  await field(laptop).focus();
  await client.setPreferences((await direct())?.id ?? '', { draft: 'from elsewhere' });
  await expect.poll(() => field(laptop).inputValue(), { timeout: 20_000 }).toBe('from elsewhere');
  await field(laptop).fill('');
});

test('presence is in the head', async () => {
  await laptop
    .locator('section.conversation header')
    .getByText('online', { exact: false })
    .waitFor();
});

test('a conversation is muted, archived and found again', async () => {
  await list(desk).getByRole('link').filter({ hasText: 'ann' }).click({ button: 'right' });
  await desk.getByRole('menuitem', { name: 'Mute', exact: true }).click();
  await list(desk).getByLabel('Muted').waitFor();
  await list(desk).getByRole('link').filter({ hasText: 'ann' }).click({ button: 'right' });
  await desk.getByRole('menuitem', { name: 'Archive' }).click();
  await list(desk)
    .getByRole('button', { name: /Archived/ })
    .click();
  await list(desk).getByRole('link').filter({ hasText: 'ann' }).click({ button: 'right' });
  await desk.getByRole('menuitem', { name: 'Take out of the archive' }).click();
  await list(desk)
    .getByRole('button', { name: /Archived/ })
    .waitFor({ state: 'detached' });
});
