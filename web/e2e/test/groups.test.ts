/** The life of a group: made, joined, named, ruled, left, seen by all who are in it. */
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { enter, field, list, log, message, write } from '../src/chat.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Page;
let bob: Page;
let cid: Page;

async function open(name: string): Promise<Page> {
  const device = await stage.device(await stage.person(name));
  await device.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  return device.page('/u/0');
}

beforeAll(async () => {
  ann = await open('ann');
  bob = await open('bob');
  cid = await open('cid');
});

/** The page about the group. */
async function info(page: Page): Promise<void> {
  await page.locator('section.conversation header a').click();
  await page.getByRole('tab', { name: /Members/ }).waitFor();
}

async function choose(page: Page, member: string, entry: string): Promise<void> {
  await page.getByRole('button', { name: `What to do with ${member}` }).click();
  await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

test('a group is made with somebody found by name', async () => {
  await ann.goto(`${stage.server.http}/u/0/new-group`);
  await ann.getByRole('textbox', { name: 'Title' }).fill('Harbour walk');
  await ann.getByRole('searchbox', { name: 'Name or exact user name' }).fill('bob');
  await ann.getByRole('button', { name: 'Look up @bob' }).click();
  await ann.getByRole('list', { name: 'Chosen people' }).getByText('bob').waitFor();
  await ann.getByRole('button', { name: 'Create group' }).click();
  await log(ann).getByText('You created “Harbour walk”').waitFor();
  await enter(bob, 'Harbour walk');
  await log(bob).getByText('ann created “Harbour walk”').waitFor();
});

test('a mention is completed and counted', async () => {
  await bob.goto(`${stage.server.http}/u/0`);
  await field(ann).pressSequentially('look @bo');
  await ann.getByRole('option', { name: /bob/ }).waitFor();
  await field(ann).press('Enter');
  expect(await field(ann).inputValue()).toBe('look @bob ');
  await field(ann).press('Enter');
  await list(bob).getByLabel('One mention of you').waitFor();
  await enter(bob, 'Harbour walk');
  await message(bob, 'look @bob').locator('.mention.me').waitFor();
});

test('who comes by a link is seen by all', async () => {
  await info(ann);
  // Beside the conversation where there is room, in its place where there is not.
  await ann.getByRole('complementary').getByRole('button', { name: 'Leave group' }).waitFor();
  expect(await log(ann).isVisible()).toBe(true);
  await ann.setViewportSize({ width: 1000, height: 800 });
  await log(ann).waitFor({ state: 'detached' });
  await ann.setViewportSize({ width: 1280, height: 800 });
  await log(ann).waitFor();
  await ann.getByRole('tab', { name: 'Invite links' }).click();
  expect(await ann.getByRole('button', { name: 'Leave group' }).count()).toBe(0);
  await ann.getByRole('button', { name: 'Make a link and copy it' }).click();
  await ann.getByText('Copied.').waitFor();
  const link = await ann.evaluate(() => navigator.clipboard.readText());
  expect(link.startsWith(`${stage.server.http}/i/`)).toBe(true);
  await cid.goto(link);
  await cid.getByRole('heading', { name: 'Harbour walk' }).waitFor();
  await cid.getByRole('button', { name: 'Join group' }).click();
  await log(cid).getByText('You joined by a link').waitFor();
  await log(bob).getByText('cid joined by a link').waitFor();
});

test('a new title is everywhere', async () => {
  await ann.getByRole('button', { name: 'Change title and description' }).click();
  const title = ann.getByRole('dialog').getByRole('textbox', { name: 'Title' });
  await expect
    .poll(() => title.evaluate((one) => one === one.ownerDocument.activeElement))
    .toBe(true);
  await title.fill('Harbour run');
  await ann.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  for (const page of [bob, cid]) {
    await log(page).getByText('ann named the group “Harbour run”').waitFor();
    await list(page).getByText('Harbour run').first().waitFor();
  }
});

test('roles are given, and what only admins may do is held', async () => {
  await ann.getByRole('tab', { name: /Members/ }).click();
  await choose(ann, 'bob', 'Make admin');
  await log(bob).getByText('ann made you an admin').waitFor();
  await ann.getByRole('tab', { name: 'Permissions' }).click();
  await ann
    .getByRole('group', { name: 'Who may write' })
    .getByRole('radio', { name: 'Admins' })
    .check();
  await cid.getByText('Only admins may write here.').waitFor();
  await write(bob, 'an admin may');
  await message(cid, 'an admin may').waitFor();
  await ann
    .getByRole('group', { name: 'Who may write' })
    .getByRole('radio', { name: 'All members' })
    .check();
  await field(cid).waitFor();
});

test('somebody is removed and reads on, but not further', async () => {
  await ann.getByRole('tab', { name: /Members/ }).click();
  await choose(ann, 'cid', 'Remove from group');
  await ann.getByRole('alertdialog').getByRole('button', { name: 'Remove from group' }).click();
  await cid.getByText('You are no longer a member of this group.', { exact: false }).waitFor();
  await write(bob, 'without cid');
  await message(bob, 'without cid')
    .getByRole('img', { name: /Sent|Delivered|Read/ })
    .waitFor();
  expect(await message(cid, 'an admin may').count()).toBe(1);
  expect(await message(cid, 'without cid').count()).toBe(0);
});

test('who has read what is listed', async () => {
  await ann.goBack();
  await message(ann, 'without cid').waitFor();
  await expect
    .poll(
      async () => {
        await message(bob, 'without cid').locator('.bubble').click({ button: 'right' });
        await bob.getByRole('menuitem', { name: 'Delivered and read' }).click();
        const dialog = bob.getByRole('dialog', { name: 'Delivered and read' });
        await dialog
          .getByRole('heading', { name: /Read by|Delivered to|Not yet/ })
          .first()
          .waitFor();
        const read = await dialog.getByText('Read by').count();
        await bob.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' }).catch(() => undefined);
        return read;
      },
      { timeout: 30_000 },
    )
    .toBe(1);
});

test('the group is handed over and left', async () => {
  await info(ann);
  await choose(ann, 'bob', 'Make owner');
  await ann.getByRole('alertdialog').getByRole('button', { name: 'Make owner' }).click();
  await log(bob).getByText('ann made you the owner').waitFor();
  await ann.getByRole('button', { name: 'Leave group' }).click();
  await ann.getByRole('alertdialog').getByRole('button', { name: 'Leave group' }).click();
  await log(bob).getByText('ann left').waitFor();
});
