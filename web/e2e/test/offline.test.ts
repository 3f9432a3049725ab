/**
 * The web client when connections, servers and tabs go away: what was written
 * is kept, what was seen is shown, and each message arrives once.
 */
import type { Page } from 'playwright-core';
import { beforeEach, expect, test, vi } from 'vitest';
import { DESKTOP, type Device } from '../src/browser.ts';
import { enter, field, list, log, message, write } from '../src/chat.ts';
import { type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let people = 0;

beforeEach(async () => {
  people += 1;
  ann = await stage.person(`ann-${people}`);
  bob = await stage.person(`bob-${people}`);
  await say(bob, { type: 'user', user: ann.user.id }, ['Hello Ann']);
});

/** A page that shows Bob's conversation. */
async function chat(device: Device): Promise<Page> {
  const page = await device.page('/u/0');
  await enter(page, bob.name);
  await message(page, 'Hello Ann').waitFor();
  return page;
}

/** What Bob has got from Ann, in order. */
async function received(): Promise<string[]> {
  const client = await bob.script();
  const [line] = await client.conversations();
  const page = await client.history(line?.id ?? '', { type: 'latest' }, { cache: 'never' });
  return page.entries.flatMap((entry) =>
    entry.type === 'message' && !entry.own ? [entry.text] : [],
  );
}

const until = <T>(what: () => Promise<T>): Promise<T> =>
  vi.waitFor(what, { timeout: 60_000, interval: 100 });

const progress = (page: Page, text: string, name: string) =>
  message(page, text).getByRole('img', { name });

test('two tabs show the same, and the second goes on when the first is closed', async () => {
  const device = await stage.device(ann);
  const [first, second] = [await chat(device), await chat(device)];
  await write(first, 'from the first');
  await write(second, 'from the second');
  for (const page of [first, second]) {
    for (const text of ['from the first', 'from the second']) {
      await message(page, text).waitFor();
      expect(await message(page, text).count()).toBe(1);
    }
  }
  await first.close();
  await write(second, 'and on');
  await until(async () =>
    expect(await received()).toEqual(['from the first', 'from the second', 'and on']),
  );
  await progress(second, 'and on', 'Delivered').waitFor();
  await say(bob, { type: 'user', user: ann.user.id }, ['still there?']);
  await message(second, 'still there?').waitFor();
});

test('without a network messages wait, and go out once when it is back', async () => {
  const device = await stage.device(ann);
  const page = await chat(device);
  await stage.server.kill();
  await page.getByRole('button', { name: 'Try now' }).waitFor();
  await write(page, 'one');
  await write(page, 'two');
  await write(page, 'three');
  for (const text of ['one', 'two', 'three']) {
    await progress(page, text, 'Waiting to be sent').waitFor();
  }
  await stage.server.restart();
  await page
    .getByRole('button', { name: 'Try now' })
    .click({ timeout: 2_000 })
    // It may have come back by itself.
    .catch(() => {});
  await until(async () => expect(await received()).toEqual(['one', 'two', 'three']));
  for (const text of ['one', 'two', 'three']) {
    expect(await message(page, text).count()).toBe(1);
  }
  await page.getByRole('button', { name: 'Try now' }).waitFor({ state: 'hidden' });
});

test('what is being written survives the death of the server and a reload', async () => {
  const device = await stage.device(ann);
  const page = await chat(device);
  await field(page).fill('half a sen');
  await stage.server.kill();
  await page.getByRole('button', { name: 'Try now' }).waitFor();
  expect(await field(page).inputValue()).toBe('half a sen');
  await field(page).focus();
  await page.keyboard.press('End');
  await page.keyboard.type('tence');
  await stage.server.restart();
  await page.getByRole('button', { name: 'Try now' }).waitFor({ state: 'hidden' });
  expect(await field(page).inputValue()).toBe('half a sentence');
  await page.reload();
  await log(page).waitFor();
  await until(async () => expect(await field(page).inputValue()).toBe('half a sentence'));
  await field(page).press('Enter');
  await until(async () => expect(await received()).toEqual(['half a sentence']));
});

test('a reload without a server shows what was seen, and keeps what waits', async () => {
  // The page itself comes from the service worker then.
  const device = await stage.device(ann, { ...DESKTOP, serviceWorkers: 'allow' });
  const page = await chat(device);
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await page.reload();
  await message(page, 'Hello Ann').waitFor();
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await stage.server.kill();
  await page.getByRole('button', { name: 'Try now' }).waitFor();
  await write(page, 'from the dark');
  await progress(page, 'from the dark', 'Waiting to be sent').waitFor();
  await page.reload();
  await message(page, 'Hello Ann').waitFor();
  await message(page, 'from the dark').waitFor();
  await list(page).getByText('from the dark').waitFor();
  await stage.server.restart();
  await until(async () => expect(await received()).toEqual(['from the dark']));
  await progress(page, 'from the dark', 'Delivered').waitFor();
  expect(await message(page, 'from the dark').count()).toBe(1);
});
