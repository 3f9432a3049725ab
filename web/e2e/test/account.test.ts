// Signing up, in and out, again after the session ended, several accounts, password and deletion.

import { expect, test } from 'vitest';
import { fillIn, framed, nameField, notice, passwordField } from '../src/frame.ts';
import { PASSWORD } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

test('a new account is made, stays over a reload, and signs out', async () => {
  const device = await stage.blankDevice();
  const page = await device.page('/');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('heading', { name: 'Create your Parley account' }).waitFor();

  await fillIn(page, 'ada', 'short');
  await page.getByRole('alert').getByText('8 to 256 characters').waitFor();
  await fillIn(page, '7ada', PASSWORD);
  await page.getByRole('alert').getByText('a letter first').waitFor();
  await page.getByRole('textbox', { name: 'Display name' }).fill('Ada Lovelace');
  await fillIn(page, 'ada');
  await framed(page);
  expect(new URL(page.url()).pathname).toBe('/u/0');
  await page.getByRole('button', { name: 'Account of Ada Lovelace' }).waitFor();

  await page.reload();
  await framed(page);
  const readable = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }));
  expect(readable).not.toMatch(/[0-9a-f]{64}/);

  await page.getByRole('button', { name: 'Account of Ada Lovelace' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const left = await page.evaluate(async () =>
    (await indexedDB.databases()).map((one) => one.name),
  );
  expect(left).toEqual([]);
});

test('a taken name and a wrong password are said beside the form', async () => {
  await stage.person('bea');
  const device = await stage.blankDevice();
  const page = await device.page('/sign-up');
  await fillIn(page, 'bea');
  await page.getByRole('alert').getByText('This name is taken.').waitFor();
  expect(await nameField(page).evaluate((field) => field === document.activeElement)).toBe(true);

  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await fillIn(page, 'bea', 'something else');
  await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor();
  await fillIn(page, 'bea');
  await framed(page);
});

test('a session that ended leads to signing in again, at the same place', async () => {
  const person = await stage.person('cleo');
  const device = await stage.device(person);
  const page = await device.page('/u/0/settings/appearance');
  await framed(page);
  // Another device signs this one out.
  const other = await stage.device(person);
  await other.context.request.delete(`${stage.server.http}/v1/devices`, {
    headers: { 'Parley-Account': '0' },
  });
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await page.getByText('The session of cleo has ended.').waitFor();
  expect(await nameField(page).inputValue()).toBe('cleo');
  await passwordField(page).fill(PASSWORD);
  await passwordField(page).press('Enter');
  await page.getByRole('heading', { name: 'Appearance' }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/u/0/settings/appearance');
});

test('two accounts are signed in side by side', async () => {
  const device = await stage.blankDevice();
  const page = await device.page('/sign-up');
  await fillIn(page, 'dora');
  await framed(page);
  await page.getByRole('button', { name: 'Account of dora' }).click();
  await page.getByRole('menuitem', { name: 'Add another account' }).click();
  await page.getByRole('button', { name: 'Create account' }).click();
  await fillIn(page, 'edda');
  await page.getByRole('button', { name: 'Account of edda' }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/u/1');

  await page.getByRole('button', { name: 'Account of edda' }).click();
  await page.getByRole('menuitemradio', { name: 'dora' }).click();
  await page.getByRole('button', { name: 'Account of dora' }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/u/0');
  await page.goto(`${stage.server.http}/`);
  await page.getByRole('button', { name: 'Account of dora' }).waitFor();
});

test('the password is changed, and then the account deleted with it', async () => {
  const person = await stage.person('fay');
  const device = await stage.device(person);
  const page = await device.page('/u/0/settings/account');
  await page.getByLabel('Present password').fill('not this one');
  await page.getByLabel('New password').fill('a second password');
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByRole('alert').getByText('The password is wrong.').waitFor();
  await page.getByLabel('Present password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change password' }).click();
  await notice(page, 'Password changed.').waitFor();

  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  const lines = (await (await (await saved).createReadStream()).toArray())
    .join('')
    .trim()
    .split('\n');
  expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ end: true });

  await page.getByRole('button', { name: 'Delete account' }).click();
  const dialog = page.getByRole('alertdialog');
  await dialog.getByLabel('Password', { exact: true }).fill('a second password');
  await dialog.getByRole('button', { name: 'Delete account' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await fillIn(page, 'fay', 'a second password');
  await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor();
});
