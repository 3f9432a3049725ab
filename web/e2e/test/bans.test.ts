/** Who is banned from a group: put out, listed for admins, kept out, let in again. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { list, log } from '../src/chat.ts';
import { group } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

const banned = (page: Page) => page.getByRole('region', { name: 'Banned' });

test('somebody is banned, stays out with a link, and is let in again', async () => {
  const [ann, bob, cid] = [
    await stage.person('ann'),
    await stage.person('bob'),
    await stage.person('cid'),
  ];
  const harbour = await group('Harbour walk', ann, bob, cid);
  const { code } = await (await ann.script()).createInvite(harbour);
  const open = async (person: typeof ann, path: string) => (await stage.device(person)).page(path);
  const page = await open(ann, `/u/0/c/${harbour}/info`);
  const theirs = await open(bob, `/u/0/c/${harbour}`);
  const ours = await open(cid, `/u/0/c/${harbour}/info`);

  // By keyboard alone, from the menu to the dialog's button.
  await page.getByRole('button', { name: 'What to do with bob' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Remove and ban' }).waitFor();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('alertdialog', { name: 'Remove and ban' });
  await dialog.getByText('bob can no longer read', { exact: false }).waitFor();
  await dialog.getByRole('button', { name: 'Remove and ban' }).focus();
  await page.keyboard.press('Enter');

  await banned(page).getByText('@bob').waitFor();
  expect(await accessFaults(page)).toEqual([]);
  await log(theirs).getByText('ann banned you').waitFor();
  await theirs.getByText('You are no longer a member of this group.', { exact: false }).waitFor();
  expect(await banned(ours).count(), 'members are not told').toBe(0);
  await theirs.goto(`${stage.server.http}/i/${code}`);
  await theirs.getByText("This invite link doesn't work any more.").waitFor();

  await banned(page).getByRole('button', { name: 'Unban bob' }).click();
  await page.getByRole('status').getByText('bob is no longer banned.').waitFor();
  await banned(page).waitFor({ state: 'detached' });
  await list(page).getByText('You unbanned bob').waitFor();
  await theirs.reload();
  await theirs.getByRole('button', { name: 'Join group' }).click();
  await log(theirs).getByText('You joined by a link').waitFor();
});
