/**
 * Sessions that the server ends while somebody writes: signing in again leads
 * back to the same place, with the draft and what was not sent yet.
 */
import type { Page } from 'playwright-core';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Device } from '../src/browser.ts';
import { enter, field, message, write } from '../src/chat.ts';
import { nameField, passwordField } from '../src/frame.ts';
import { holdable } from '../src/network.ts';
import { PASSWORD, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();
let people = 0;
let ann: Person;
let bob: Person;
let device: Device;
let page: Page;

beforeEach(async () => {
  people += 1;
  ann = await stage.person(`ann-${people}`);
  bob = await stage.person(`bob-${people}`);
  await say(bob, { type: 'user', user: ann.user.id }, ['Hello Ann']);
  device = await stage.device(ann);
});

async function openChat(): Promise<void> {
  page = await device.page('/u/0');
  await enter(page, bob.name);
  await message(page, 'Hello Ann').waitFor();
}

/** Another browser of Ann's ends all other sessions. */
async function signOutOthers(): Promise<void> {
  const other = await stage.device(ann);
  const answer = await other.context.request.delete(`${stage.server.http}/v1/devices`, {
    headers: { 'Parley-Account': '0' },
  });
  expect(answer.status()).toBe(204);
}

async function signInAgain(password = PASSWORD): Promise<void> {
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  expect(await nameField(page).inputValue()).toBe(ann.name);
  await passwordField(page).fill(password);
  await passwordField(page).press('Enter');
}

/** What Bob has got from Ann, in order. */
async function received(): Promise<string[]> {
  const client = await bob.script();
  const [line] = await client.conversations();
  const { entries } = await client.history(line?.id ?? '', { type: 'latest' }, { cache: 'never' });
  return entries.flatMap((entry) => (entry.type === 'message' && !entry.own ? [entry.text] : []));
}

/** What this browser keeps of Ann's account: rows by table, and whether a word is among them. */
async function kept(word: string): Promise<{ rows: Record<string, number>; said: boolean }> {
  return page.evaluate(
    async ([account, word]) => {
      const done = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open(`parley-${account}`));
      const rows: Record<string, number> = {};
      let said = false;
      const bytes = (_: string, value: unknown) =>
        value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
      for (const name of database.objectStoreNames) {
        const all = await done(database.transaction(name).objectStore(name).getAll());
        rows[name] = all.length;
        said ||= JSON.stringify(all, bytes).includes(word);
      }
      database.close();
      return { rows, said };
    },
    [ann.user.id, word] as const,
  );
}

const READ_IS_GONE = {
  rows: { conversations: 0, users: 0, entries: 0, related: 0, outbox: 1 },
  said: false,
};

test('what was read leaves the browser when the session ends, what was not sent stays', async () => {
  const held = await holdable(device.context);
  await openChat();
  await vi.waitFor(async () => expect(await kept('Hello Ann')).toMatchObject({ said: true }));
  held.hold();
  await write(page, 'unsent');
  await vi.waitFor(async () => expect((await kept('')).rows.outbox).toBe(1));
  await signOutOthers();
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await vi.waitFor(async () => expect(await kept('Hello Ann')).toMatchObject(READ_IS_GONE));
  expect(await kept('unsent')).toMatchObject({ said: true });
  held.release();
});

test('what was read leaves at the next visit when no page was open', async () => {
  await openChat();
  await vi.waitFor(async () => expect(await kept('Hello Ann')).toMatchObject({ said: true }));
  await page.close();
  await signOutOthers();
  page = await device.page('/u/0');
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  const gone = { ...READ_IS_GONE, rows: { ...READ_IS_GONE.rows, outbox: 0 } };
  await vi.waitFor(async () => expect(await kept('Hello Ann')).toMatchObject(gone));
});

test('the draft is kept, and what was not sent goes out once', async () => {
  const held = await holdable(device.context);
  await openChat();
  const place = page.url();
  held.hold();
  await write(page, 'unsent one');
  await write(page, 'unsent two');
  await message(page, 'unsent two')
    .getByRole('img', { name: /Sending|Waiting/ })
    .waitFor();
  await field(page).fill('half a thought');
  await signOutOthers();
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  held.release();
  expect(await received()).toEqual([]);

  await signInAgain();
  await message(page, 'unsent two')
    .getByRole('img', { name: /Sent|Delivered/ })
    .waitFor();
  expect(page.url()).toBe(place);
  expect(await field(page).inputValue()).toBe('half a thought');
  for (const text of ['unsent one', 'unsent two'])
    expect(await message(page, text).count()).toBe(1);
  expect(await received()).toEqual(['unsent one', 'unsent two']);
  await field(page).press('Enter');
  await vi.waitFor(
    async () => expect(await received()).toEqual(['unsent one', 'unsent two', 'half a thought']),
    { timeout: 60_000, interval: 100 },
  );
});

test('another password ends the session here, and only the new one opens it again', async () => {
  await openChat();
  await field(page).fill('half a thought');
  const other = await stage.device(ann);
  const account = await other.page('/u/0/settings/account');
  await account.getByLabel('Present password').fill(PASSWORD);
  await account.getByLabel('New password').fill('a second password');
  await account.getByRole('button', { name: 'Change password' }).click();
  await account.getByText('Password changed.').waitFor();

  await signInAgain();
  await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor();
  await signInAgain('a second password');
  await message(page, 'Hello Ann').waitFor();
  expect(await field(page).inputValue()).toBe('half a thought');
});

test('a session that ended while no page was open is asked for at the next visit', async () => {
  await openChat();
  const place = page.url();
  await field(page).fill('half a thought');
  await page.close();
  await signOutOthers();
  page = await device.page(new URL(place).pathname);
  await signInAgain();
  await message(page, 'Hello Ann').waitFor();
  expect(page.url()).toBe(place);
  await vi.waitFor(async () => expect(await field(page).inputValue()).toBe('half a thought'));
});
