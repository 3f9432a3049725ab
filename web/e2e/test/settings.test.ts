// Settings, people and blocking: what is chosen is in force, is kept, and reaches others.

import { expect, test } from 'vitest';
import { PHONE } from '../src/browser.ts';
import { framed, notice } from '../src/frame.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

test('theme, text size and language are in force at once and after a reload', async () => {
  const person = await stage.person('gus');
  const device = await stage.device(person);
  const page = await device.page('/u/0/settings/appearance');
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const size = () => page.evaluate(() => getComputedStyle(document.documentElement).fontSize);
  const light = await ground();
  expect(await size()).toBe('16px');

  await page.getByRole('radio', { name: 'Dark' }).check();
  await page.getByRole('radio', { name: 'Huge' }).check();
  await page.getByRole('radio', { name: 'العربية' }).check();
  await page.getByRole('heading', { name: 'المظهر' }).waitFor();
  const look = async () => ({
    ground: await ground(),
    size: await size(),
    direction: await page.evaluate(() => getComputedStyle(document.body).direction),
    language: await page.evaluate(() => document.documentElement.lang),
  });
  const chosen = await look();
  expect(chosen).toMatchObject({ size: '21.6px', direction: 'rtl', language: 'ar' });
  expect(chosen.ground).not.toBe(light);
  const rail = await page.getByRole('navigation', { name: 'التنقل الرئيسي' }).boundingBox();
  expect(rail?.x).toBeGreaterThan(1000);

  await page.reload();
  await page.getByRole('heading', { name: 'المظهر' }).waitFor();
  expect(await look()).toEqual(chosen);
});

test('profile and privacy reach the server and the other person', async () => {
  const [hal, ida] = await Promise.all([stage.person('hal'), stage.person('ida')]);
  const device = await stage.device(hal);
  const page = await device.page('/u/0/settings/profile');
  await page.getByLabel('Display name').fill('Hal <b>Bold</b>');
  await page.getByLabel('About').fill('hello\nthere');
  await page.getByRole('button', { name: 'Save' }).click();
  await notice(page, 'Saved.').waitFor();

  await page.goto(`${stage.server.http}/u/0/settings/privacy`);
  const receipts = page.getByRole('switch', { name: 'Read receipts' });
  expect(await receipts.isChecked()).toBe(true);
  await receipts.click();
  const online = page.getByRole('group', { name: 'Who sees when you are online' });
  await online.getByRole('radio', { name: 'Nobody' }).check();
  const mine = await hal.script();
  await expect
    .poll(async () => (await mine.account()).settings, { timeout: 60_000 })
    .toMatchObject({ readReceipts: false, presence: 'nobody', typing: true });
  await page.reload();
  await expect.poll(() => receipts.isChecked(), { timeout: 60_000 }).toBe(false);

  const other = await stage.device(ida);
  const profile = await other.page(`/u/0/people/${hal.user.id}`);
  await profile.getByRole('heading', { name: 'Hal <b>Bold</b>' }).waitFor();
  expect(await profile.locator('.about').innerText()).toBe('hello\nthere');
});

test('a person is found by name, made a contact, blocked and unblocked', async () => {
  const [joe, kim] = await Promise.all([stage.person('joe'), stage.person('kim')]);
  const device = await stage.device(joe);
  const page = await device.page('/u/0/people');
  const search = page.getByRole('textbox', { name: 'Find people' });
  await search.fill('nobody-of-that-name');
  await search.press('Enter');
  await page.getByText('There is nobody with the name').waitFor();
  await search.fill('kim');
  await search.press('Enter');
  await page.getByRole('link', { name: 'kim' }).click();
  await page.getByRole('button', { name: 'Add to contacts' }).click();
  await notice(page, 'kim is a contact now.').waitFor();
  // The list of contacts knows less of them than their profile does.
  await (await kim.script()).changeProfile({ about: 'climbs at night' });
  await page.reload();
  await page.getByText('climbs at night').waitFor();
  await page.getByRole('region', { name: 'People' }).getByRole('link', { name: 'kim' }).waitFor();

  await page.getByRole('button', { name: 'Block', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Block' }).click();
  await page.getByText('You blocked this person.').waitFor();
  const theirs = await kim.script();
  const refused = await theirs
    .submit({ type: 'user', user: joe.user.id }, { type: 'text', text: 'hi' })
    .then(({ localId }) => theirs.committed(localId))
    .catch((error) => error.codeName);
  expect(refused).toBe('not_accepted');

  await page.goto(`${stage.server.http}/u/0/settings/blocked`);
  await page.getByRole('button', { name: 'Unblock' }).click();
  await page.getByText('Nobody is blocked').waitFor();
  const { localId } = await theirs.submit(
    { type: 'user', user: joe.user.id },
    { type: 'text', text: 'hi' },
  );
  await theirs.committed(localId);
});

test('devices are listed and signed out, one and all others', async () => {
  const person = await stage.person('lou');
  const [here, second, third] = [
    await stage.device(person),
    await stage.device(person, PHONE),
    await stage.device(person),
  ];
  const gone = await second.page('/');
  await framed(gone);
  const page = await here.page('/u/0/settings/devices');
  const row = (name: string) => page.getByRole('listitem').filter({ hasText: name });
  await row('browser 2').waitFor();
  await row('browser 2').getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click();
  await gone.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await row('browser 2').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Sign out all others' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Sign out all others' }).click();
  await page.getByText('You are signed in nowhere else.').waitFor();
  const left = await third.page('/u/0');
  await left.getByRole('heading', { name: 'Sign in' }).waitFor();
});

test('a sign-in elsewhere is told, with the way to the devices', async () => {
  const person = await stage.person('lea');
  const device = await stage.device(person, PHONE);
  const page = await device.page('/u/0');
  await page.getByRole('heading', { name: 'Chats', exact: true }).waitFor();
  await stage.device(person);
  const told = notice(page, 'New sign-in: browser 2');
  await told.waitFor();
  await page.getByRole('status').getByRole('button', { name: 'Your devices' }).click();
  await page.getByRole('heading', { name: 'Devices', exact: true }).waitFor();
  await page.getByText('browser 2', { exact: true }).waitFor();
  await told.waitFor({ state: 'detached' });
});
