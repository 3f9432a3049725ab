/**
 * What people are called, in all places and at all times: by their display names from
 * the first paint on, by a new one as soon as they have it; and who is blocked or gone.
 */
import type { Page } from 'playwright-core';
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { enter, line, list, log, message } from '../src/chat.ts';
import { group, PASSWORD, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let page: Page;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  await (await bob.script()).changeProfile({ displayName: 'José Okafor' });
  const conversation = await group('Łódź walk', bob, ann);
  await say(bob, { type: 'conversation', conversation }, ['who comes?']);
  page = await (await stage.device(ann)).page('/u/0');
  await line(page, 'José Okafor').waitFor();
});

beforeEach(async () => {
  await page.goto(`${stage.server.http}/u/0`);
});

/** Notes all that the list says from the first paint on. */
function noteList(): void {
  const said = new Set<string>();
  Object.assign(window, { said });
  new MutationObserver(() => {
    const text = document.querySelector('nav[aria-label=Chats]')?.textContent;
    if (text) said.add(text);
  }).observe(document, { childList: true, subtree: true, characterData: true });
}

test('people are called by their names from the first paint on, and by a new one at once', async () => {
  await enter(page, 'Łódź walk');
  await page.addInitScript(noteList);
  await page.reload();
  await message(page, 'who comes?').getByText('José Okafor').waitFor();
  const said = await page.evaluate(() => [...(window as never as { said: Set<string> }).said]);
  expect(said.filter((text) => text.includes('bob'))).toEqual([]);
  expect(said.some((text) => text.includes('José Okafor'))).toBe(true);

  await (await bob.script()).changeProfile({ displayName: 'Robert' });
  await message(page, 'who comes?').getByText('Robert').waitFor();
  await line(page, 'Robert').waitFor();
  await (await bob.script()).changeProfile({ displayName: 'José Okafor' });
  await line(page, 'José Okafor').waitFor();
});

test('the filter folds accents as search does, and takes requests as well', async () => {
  const stranger = await stage.person('mal');
  await (await ann.script()).changeSettings({ messages: 'contacts' });
  await say(stranger, { type: 'user', user: ann.user.id }, ['do you know me?']);
  const requests = list(page).getByRole('button', { name: /^Requests/ });
  await requests.waitFor();
  const filter = page.getByRole('textbox', { name: 'Search chats' });
  for (const [query, found, others] of [
    ['lodz', 'Łódź walk', 'mal'],
    ['mal', 'mal', 'Łódź walk'],
  ] as const) {
    await filter.fill(query);
    await line(page, others).waitFor({ state: 'detached' });
    await line(page, found).waitFor();
  }
  await filter.fill('lodz');
  expect(await requests.count()).toBe(0);
  await filter.fill('');
});

test("people of one's groups are found by what they are called, everywhere", async () => {
  await page.getByRole('textbox', { name: 'Search chats' }).fill('jose');
  await list(page)
    .getByRole('link', { name: /José Okafor.*@bob/ })
    .waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('oka');
  await page.getByRole('option', { name: /José Okafor/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.goto(`${stage.server.http}/u/0/new-group`);
  await page.getByRole('checkbox', { name: /José Okafor/ }).waitFor();
  await page.goto(`${stage.server.http}/u/0/people`);
  await page.getByRole('heading', { name: 'Pick a person' }).waitFor();
  await page.getByRole('textbox', { name: 'Find people' }).fill('okafor');
  await page.getByRole('link', { name: /José Okafor/ }).click();
  await page.getByRole('button', { name: 'Message' }).waitFor();
});

test('a deleted chat leaves the list until something new comes, and Tab stops once in the list', async () => {
  const other = await stage.person('eve');
  await (await ann.script()).changeSettings({ messages: 'everyone' });
  const to = { type: 'user', user: ann.user.id } as const;
  await say(other, to, ['hello Ann']);
  await enter(page, 'eve');
  expect(await list(page).locator('a[tabindex="0"]').count()).toBe(1);
  await line(page, 'eve').focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  await page.waitForFunction(
    () => document.activeElement === document.querySelector('nav[aria-label=Chats] a'),
  );

  await line(page, 'eve').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Delete chat' }).click();
  const dialog = page.getByRole('alertdialog', { name: 'Delete “eve”?' });
  await dialog.getByText('eve keeps theirs.', { exact: false }).waitFor();
  await dialog.getByRole('button', { name: 'Delete chat' }).click();
  await page.waitForURL(`${stage.server.http}/u/0`);
  await line(page, 'eve').waitFor({ state: 'detached' });
  await page.reload();
  await line(page, 'Łódź walk').waitFor();
  await line(page, 'eve').waitFor({ state: 'detached', timeout: 5000 });
  await say(other, to, ['are you there?']);
  await enter(page, 'are you there?');
  await message(page, 'are you there?').waitFor();
  expect(await message(page, 'hello Ann').count()).toBe(0);
});

test('who is blocked elsewhere asks for nothing any more', async () => {
  const stranger = await stage.person('ivo');
  await (await ann.script()).changeSettings({ messages: 'contacts' });
  await say(stranger, { type: 'user', user: ann.user.id }, ['do you know me?']);
  await enter(page, 'ivo');
  await page.getByText('ivo wants to write to you.', { exact: false }).waitFor();
  await (await ann.script()).block(stranger.user.id);
  await page.getByText('You blocked ivo.', { exact: false }).waitFor();
  expect(await page.getByRole('button', { name: 'Accept' }).count()).toBe(0);
  await line(page, 'ivo').waitFor({ state: 'detached' });
  await list(page)
    .getByRole('button', { name: /^Archived/ })
    .waitFor();
});

test('offline is said at once, and nobody is shown as there until it is over', async () => {
  await (await ann.script()).submit(
    { type: 'user', user: bob.user.id },
    { type: 'text', text: 'hello Bob' },
  );
  await enter(page, 'hello Bob');
  const header = page.getByRole('region', { name: 'José Okafor' }).locator('header');
  await header.getByText('Online').waitFor();
  // The socket stays as it is: only the browser knows.
  await page.evaluate(() => window.dispatchEvent(new Event('offline')));
  await page.getByText('You are offline.', { exact: false }).first().waitFor({ timeout: 1_000 });
  expect(await header.getByText('Online').count()).toBe(0);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await page.getByText('You are offline.', { exact: false }).first().waitFor({ state: 'detached' });
  await header.getByText('Online').waitFor();
});

test('a chat that is read but not answered stays one when strangers have to ask', async () => {
  const stranger = await stage.person('zoe');
  await (await ann.script()).changeSettings({ messages: 'everyone' });
  const to = { type: 'user', user: ann.user.id } as const;
  await say(stranger, to, ['hi, it is me']);
  await line(page, 'hi, it is me').waitFor();
  await page.goto(`${stage.server.http}/u/0/settings/privacy`);
  const setting = page.getByRole('group', { name: 'Who may write to you' });
  await setting.getByRole('radio', { name: 'Contacts' }).check();
  await vi.waitFor(async () =>
    expect((await (await ann.script()).account()).settings.messages).toBe('contacts'),
  );
  await page.goto(`${stage.server.http}/u/0`);
  await say(stranger, to, ['still me']);
  await line(page, 'still me').waitFor();
  const [row] = (await (await ann.script()).conversations()).filter(
    (one) => one.peer?.name === 'zoe',
  );
  expect(row?.request).toBe(false);
});

test('who deleted the account is called so everywhere, at once', async () => {
  await enter(page, 'Łódź walk');
  await message(page, 'who comes?').getByText('José Okafor').waitFor();
  await (await bob.script()).close();
  const answer = await page.context().request.fetch(`${stage.server.http}/v1/login`, {
    method: 'POST',
    data: { name: 'bob', password: PASSWORD, device: { name: 'last', platform: 'test' } },
  });
  const { token } = (await answer.json()) as { token: string };
  await page.context().request.delete(`${stage.server.http}/v1/account`, {
    headers: { Authorization: `Bearer ${token}` },
    data: { password: PASSWORD },
  });
  await line(page, 'Deleted account').first().waitFor();
  await message(page, 'who comes?').getByText('Deleted account').waitFor();
  await page.reload();
  await log(page).waitFor();
  await line(page, 'Deleted account').first().waitFor();
  expect(await list(page).innerText()).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}|Okafor/);
});
