/**
 * What is passed on, cleared, kept for a while, and missed: forwarding,
 * clearing and hiding for oneself, retention, gaps.
 */
import type { Page } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import { choose, enter, line, log, message } from '../src/chat.ts';
import { notice } from '../src/frame.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage({ set: { 'groups.least_retention_s': '1' } });
let people = 0;
let ann: Person;
let bob: Person;

beforeEach(async () => {
  people += 1;
  ann = await stage.person(`ann-${people}`);
  bob = await stage.person(`bob-${people}`);
});

const texts = (page: Page) => log(page).locator('.text').allTextContents();

test('a message is forwarded to several chats, and says that it was', async () => {
  const cid = await stage.person(`cid-${people}`);
  await say(bob, { type: 'user', user: ann.user.id }, ['worth knowing']);
  await group('Harbour walk', ann, bob, cid);
  await group('Night shift', cid, ann);
  const page = await (await stage.device(ann)).page('/u/0');
  const theirs = await (await stage.device(cid)).page('/u/0');
  await enter(page, bob.name);
  await choose(page, 'worth knowing', 'Forward');
  const dialog = page.getByRole('dialog', { name: 'Forward' });
  expect(await dialog.getByRole('button', { name: 'Forward' }).isDisabled()).toBe(true);
  for (const name of ['Harbour walk', 'Night shift'])
    await dialog.getByRole('checkbox', { name }).check();
  await dialog.getByRole('button', { name: 'Forward' }).click();
  await notice(page, 'Forwarded to 2 chats.').waitFor();
  for (const name of ['Harbour walk', 'Night shift']) {
    await enter(theirs, name);
    const row = message(theirs, 'worth knowing');
    await row.getByText('Forwarded').waitFor();
    // Who passes it on is its sender, not who wrote it first.
    expect(await row.getAttribute('aria-label')).toContain(ann.name);
  }
});

test('a cleared chat is empty on all own devices and as it was on others', async () => {
  const to = { type: 'user', user: ann.user.id } as const;
  await say(bob, to, ['one', 'two', 'three']);
  const page = await (await stage.device(ann)).page('/u/0');
  const other = await (await stage.device(ann)).page('/u/0');
  const theirs = await (await stage.device(bob)).page('/u/0');
  await enter(other, bob.name);
  await enter(theirs, ann.name);
  await enter(page, bob.name);
  await message(page, 'three').waitFor();
  await page.locator('section.conversation header').getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Delete chat' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete chat' }).click();
  await line(page, bob.name).waitFor({ state: 'detached' });
  await message(other, 'one').waitFor({ state: 'detached' });
  await page.goto(other.url());
  await other.getByText('No messages yet').waitFor();
  await page.getByText('No messages yet').waitFor();
  expect(await texts(theirs)).toEqual(['one', 'two', 'three']);

  // It goes on from there, also after a reload.
  await say(bob, to, ['four']);
  for (const where of [page, other]) await message(where, 'four').waitFor();
  await page.reload();
  await message(page, 'four').waitFor();
  expect(await texts(page)).toEqual(['four']);
});

test('a message that was hidden stays hidden after a reload and on a new device', async () => {
  await say(bob, { type: 'user', user: ann.user.id }, ['one', 'two', 'three']);
  const page = await (await stage.device(ann)).page('/u/0');
  await enter(page, bob.name);
  await choose(page, 'two', 'Delete…');
  await page.getByRole('button', { name: 'Delete for me' }).click();
  await message(page, 'two').waitFor({ state: 'detached' });
  await page.reload();
  const fresh = await (await stage.device(ann)).page('/u/0');
  await enter(fresh, bob.name);
  for (const where of [page, fresh]) {
    await message(where, 'three').waitFor();
    await expect.poll(() => texts(where)).toEqual(['one', 'three']);
  }
});

test('a retention that is set is said in the chat, and what was written under it goes', async () => {
  const conversation = await group('Short memory', ann, bob);
  const to = { type: 'conversation', conversation } as const;
  await say(bob, to, ['for ever']);
  const page = await (await stage.device(ann)).page(`/u/0/c/${conversation}/info`);
  const theirs = await (await stage.device(bob)).page('/u/0');
  await enter(theirs, 'Short memory');
  await message(theirs, 'for ever').waitFor();
  await page.getByRole('tab', { name: 'Permissions' }).click();
  const keep = page.getByRole('group', { name: 'Keep messages' });
  expect(await keep.getByRole('radio', { name: 'For ever' }).isChecked()).toBe(true);
  await keep.getByRole('radio', { name: '7 days' }).check();
  await log(theirs).getByText(`${ann.name} changed the settings`).waitFor();

  // The page offers days; seconds are as good a time to this server.
  const client = await ann.script();
  const { settings } = await client.describe(conversation);
  expect(settings.retentionS).toBe(7 * 86_400);
  const { localId } = await client.submit(to, {
    type: 'changeConversation',
    settings: { ...settings, retentionS: 3 },
  });
  await client.committed(localId);
  await say(bob, to, ['soon forgotten']);
  await message(theirs, 'soon forgotten').waitFor();
  // It goes while nobody writes and nobody reloads, and stays away from what this browser keeps.
  await message(theirs, 'soon forgotten').waitFor({ state: 'detached', timeout: 60_000 });
  await message(theirs, 'for ever').waitFor();
  await theirs.reload();
  await message(theirs, 'for ever').waitFor();
  expect(await texts(theirs)).toEqual(['for ever']);
});

test('a gap says so while it loads, and nothing is missing once it is filled', async () => {
  const conversation = await group('Long', bob, ann);
  const to = { type: 'conversation', conversation } as const;
  const all = Array.from({ length: 700 }, (_, i) => `message ${i}.`);
  await say(bob, to, all);
  const client = await bob.script();
  const { localId } = await client.submit(to, { type: 'text', text: 'look there', replyTo: 20 });
  await client.committed(localId);
  // Read, so that it opens at its end.
  const mine = await ann.script();
  const { lastSeq } = await mine.history(conversation, { type: 'latest' }, { limit: 1 });
  await mine.markRead(conversation, lastSeq);
  const page = await (await stage.device(ann)).page(`/u/0/c/${conversation}`);
  await message(page, 'look there').waitFor();
  // All that is ever drawn from here on: rows come and go while it is scrolled.
  await page.evaluate(() => {
    const seen = new Set<string>();
    Object.assign(window, { seen });
    const view = document.querySelector('[role=log]') as HTMLElement;
    const look = () => {
      for (const row of view.querySelectorAll('.text, .chip')) seen.add(row.textContent ?? '');
    };
    new MutationObserver(look).observe(view, { childList: true, subtree: true });
  });
  await message(page, 'look there').getByTitle('Go to the message this answers').click();
  await page.waitForFunction(() => document.querySelector('.highlighted'));
  const seen = async (what: RegExp) =>
    (await page.evaluate(() => [...(window as never as { seen: Set<string> }).seen])).filter(
      (text) => what.test(text),
    );
  await expect
    .poll(
      () =>
        page.evaluate(() => {
          const view = document.querySelector('[role=log]') as HTMLElement;
          const { left, width, bottom: below } = view.getBoundingClientRect();
          // As a reader does: on, but not past what is not drawn yet, and not past what is still loading.
          const last = document.elementFromPoint(left + width / 2, below - 24);
          const loading = [...view.querySelectorAll('.chip')].some(
            (chip) =>
              /Loading missed/.test(chip.textContent ?? '') &&
              chip.getBoundingClientRect().top < below,
          );
          if (!loading && last?.closest('[data-key]')) view.scrollTop += view.clientHeight / 2;
          return [...view.querySelectorAll('.text')].at(-1)?.textContent;
        }),
      { timeout: 180_000, interval: 20 },
    )
    .toBe('look there');
  expect((await seen(/Loading missed messages/)).length).toBe(1);
  // From the answered one on, not one is missing.
  const read = new Set(await seen(/^message /));
  expect(all.slice(25).filter((text) => !read.has(text))).toEqual([]);
  expect(await log(page).getByText('Loading missed messages…').count()).toBe(0);
});
