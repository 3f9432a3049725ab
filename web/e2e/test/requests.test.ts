/**
 * Strangers: what they write waits as a request, and is accepted, ignored or
 * blocked; people and messages are reported to the operators.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import { choose, enter, field, list, log, message, write } from '../src/chat.ts';
import { notice } from '../src/frame.ts';
import { type Person, say } from '../src/people.ts';
import { binary } from '../src/server.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();
let people = 0;
/** Takes first messages from contacts alone. */
let ann: Person;
let stranger: Person;
let page: Page;

beforeEach(async () => {
  people += 1;
  ann = await stage.person(`ann-${people}`);
  stranger = await stage.person(`bob-${people}`);
  await (await ann.script()).changeSettings({ messages: 'contacts' });
  await say(stranger, { type: 'user', user: ann.user.id }, ['do you know me?']);
  page = await (await stage.device(ann)).page('/u/0');
});

const requests = (where: Page) => list(where).getByRole('button', { name: /^Requests/ });
const archive = (where: Page) => list(where).getByRole('button', { name: /^Archived/ });

async function theirPage(): Promise<Page> {
  const where = await (await stage.device(stranger)).page('/u/0');
  await enter(where, ann.name);
  return where;
}

test('a request tells its sender nothing until it is accepted, and is a chat from then on', async () => {
  const theirs = await theirPage();
  expect(await requests(page).innerText()).toContain('(1)');
  await enter(page, stranger.name);
  await message(page, 'do you know me?').waitFor();
  await page.getByText(`${stranger.name} wants to write to you.`, { exact: false }).waitFor();
  expect(await field(page).count()).toBe(0);
  // What was written and seen here is neither delivered nor read over there, and nobody is online.
  await message(theirs, 'do you know me?').getByRole('img', { name: 'Sent' }).waitFor();
  const [line] = await (await stranger.script()).conversations();
  expect(line).toMatchObject({ peerRead: 0, peerDelivered: 0 });
  expect(await (await stranger.script()).presence([ann.user.id])).toMatchObject([
    { online: false },
  ]);

  await page.getByRole('button', { name: 'Accept' }).click();
  await write(page, 'now I do');
  await message(theirs, 'now I do').waitFor();
  await message(theirs, 'do you know me?').getByRole('img', { name: 'Read' }).waitFor();
  await requests(page).waitFor({ state: 'detached' });
  expect(await list(page).getByRole('link').filter({ hasText: stranger.name }).count()).toBe(1);
});

test('an ignored request is put away, stays away, and can still be accepted', async () => {
  const phone = await (await stage.device(ann)).page('/u/0');
  await requests(phone).waitFor();
  await enter(page, stranger.name);
  await page.getByRole('button', { name: 'Ignore' }).click();
  for (const where of [page, phone]) {
    await requests(where).waitFor({ state: 'detached' });
    await archive(where).waitFor();
  }
  await say(stranger, { type: 'user', user: ann.user.id }, ['hello?']);
  await archive(page).click();
  await list(page).getByText('hello?').waitFor();
  expect(await requests(page).count()).toBe(0);
  expect(await page.title()).not.toMatch(/\d/);

  await enter(page, stranger.name);
  await page.getByRole('button', { name: 'Accept' }).click();
  await field(page).waitFor();
  await archive(page).waitFor({ state: 'detached' });
  await list(page).getByRole('link').filter({ hasText: stranger.name }).waitFor();
});

test('who is blocked from a request can write no more, and is not told', async () => {
  const theirs = await theirPage();
  await enter(page, stranger.name);
  await page.getByRole('button', { name: 'Block' }).click();
  await page.waitForURL(`${stage.server.http}/u/0`);
  await requests(page).waitFor({ state: 'detached' });
  await page.goto(`${stage.server.http}/u/0/settings/blocked`);
  await page.getByRole('button', { name: 'Unblock' }).waitFor();
  await write(theirs, 'are you there?');
  await message(theirs, 'are you there?').getByRole('img', { name: 'Not sent' }).waitFor();
  const [line] = await (await ann.script()).conversations();
  expect(line?.lastSeq).toBe(1);
});

/** What operators read. */
async function reports() {
  const run = promisify(execFile);
  const { stdout } = await run(binary(), ['reports', '--data', stage.server.data]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ reporter }) => reporter === ann.user.id);
}

test('a person and a message are reported to the operators, with the reason', async () => {
  await enter(page, stranger.name);
  await choose(page, 'do you know me?', 'Report');
  const dialog = page.getByRole('dialog', { name: `Report ${stranger.name}` });
  await dialog.getByRole('button', { name: 'Report' }).click();
  await dialog.getByText('Say what happened.').waitFor();
  await dialog.getByLabel('What happened?').fill('sells things');
  await dialog.getByRole('button', { name: 'Report' }).click();
  await notice(page, 'Thank you. It was passed on.').waitFor();

  await page.goto(`${stage.server.http}/u/0/people/${stranger.user.id}`);
  await page.getByRole('button', { name: 'Report' }).click();
  await dialog.getByLabel('What happened?').fill('writes at night');
  await dialog.getByRole('button', { name: 'Report' }).click();
  await notice(page, 'Thank you. It was passed on.').waitFor();

  const [line] = await (await ann.script()).conversations();
  expect(await reports()).toMatchObject([
    { user: stranger.user.id, reason: 'sells things', conversation: line?.id, seqs: [1] },
    { user: stranger.user.id, reason: 'writes at night' },
  ]);
  expect(await log(page).count()).toBe(0);
});
