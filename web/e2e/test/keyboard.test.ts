/** Every main action without a mouse, and what a screen reader is told of the timeline. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import type { Device } from '../src/browser.ts';
import { field, list, log, message } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

let ann: Person;
let bob: Person;
let device: Device;
let page: Page;
let walk: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  await stage.person('cid');
  walk = await group('Harbour walk', bob, ann);
  await group('Night shift', bob, ann);
  await say(bob, { type: 'conversation', conversation: walk }, ['first', 'second', 'third']);
  device = await stage.device(ann);
  page = await device.page('/u/0');
  await list(page).getByText('Harbour walk').waitFor();
});

const press = (keys: string) => page.keyboard.press(keys);
const type = (text: string) => page.keyboard.type(text);

/** Nothing in here may touch the mouse. */
const mouse = () => {
  throw new Error('the mouse was used');
};

test('the quick switcher goes to a conversation', async () => {
  Object.assign(page.mouse, { click: mouse, down: mouse });
  await press('Control+k');
  await page.getByRole('combobox', { name: 'Chat or person' }).waitFor();
  await type('harb');
  await page.getByRole('option', { name: /Harbour walk/ }).waitFor();
  await press('Enter');
  await message(page, 'third').waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
});

test('messages are written, edited and answered', async () => {
  await type('from the keys');
  await press('Shift+Enter');
  await type('second line');
  await press('Enter');
  await message(page, 'from the keys').waitFor();
  expect(await message(page, 'from the keys').locator('.text').textContent()).toBe(
    'from the keys\nsecond line',
  );
  await message(page, 'from the keys')
    .getByRole('img', { name: /Sent|Delivered|Read/ })
    .waitFor();
  await press('ArrowUp');
  expect(await field(page).inputValue()).toBe('from the keys\nsecond line');
  await press('Control+a');
  await type('better');
  await press('Enter');
  await message(page, 'better').getByText('edited').waitFor();
  // Shift+Up answers the last one, Esc lets it be.
  await press('Shift+ArrowUp');
  await page.getByRole('button', { name: 'Cancel reply' }).waitFor();
  await press('Escape');
  await page.getByRole('button', { name: 'Cancel reply' }).waitFor({ state: 'detached' });
});

test('the timeline is one stop, its rows say all, Enter leads in and Esc out', async () => {
  await press('Shift+Tab');
  for (let i = 0; i < 6; i++) {
    if (await page.evaluate(() => document.activeElement?.getAttribute('role') === 'article'))
      break;
    await press('Shift+Tab');
  }
  const label = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
  expect(await label()).toMatch(/^You, better, .*edited.*(Sent|Delivered|Read)$/);
  await press('ArrowUp');
  expect(await label()).toMatch(/^bob, third, \d/);
  await press('Enter');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
    'React',
  );
  await press('Tab');
  await press('Escape');
  expect(await label()).toMatch(/^bob, third/);
});

test('a message is reacted to, answered and deleted from its row', async () => {
  await press('Shift+F10');
  await page.getByRole('menu').waitFor();
  await type('react with 👍'.slice(0, 5));
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'menuitem');
  await page.getByRole('menuitem', { name: 'React with 👍' }).focus();
  await press('Enter');
  await message(page, 'third').getByRole('button', { name: /👍/ }).waitFor();
  await page.waitForFunction(() => !document.querySelector('[role=menu]'));
  await log(page)
    .getByRole('article', { name: /^bob, second/ })
    .focus();
  await press('Shift+F10');
  await page.getByRole('menu').waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'menuitem');
  // The first entry.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('Reply');
  await press('Enter');
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
  await type('an answer');
  await press('Enter');
  await message(page, 'an answer').getByText('second').waitFor();
});

test('a mention and an emoji are put in by keys', async () => {
  await type('@bo');
  await page.getByRole('option', { name: /bob/ }).waitFor();
  await press('Tab');
  expect(await field(page).inputValue()).toBe('@bob ');
  await press('Shift+Tab');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(
    'Emoji',
  );
  await press('Enter');
  await page.getByRole('searchbox', { name: 'Search emoji' }).waitFor();
  await type('rocket');
  await page.getByRole('button', { name: /^🚀 rocket/ }).waitFor();
  await press('Enter');
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
  expect(await field(page).inputValue()).toBe('@bob 🚀');
  await press('Enter');
  await message(page, '@bob 🚀').waitFor();
});

test('an emoji is put in by its name', async () => {
  await type('off :rocke');
  await page.getByRole('option', { name: /🚀.*:rocket:/ }).waitFor();
  await press('Enter');
  expect(await field(page).inputValue()).toBe('off 🚀');
  // The whole name with its second colon needs no list, and can be taken back.
  await type(' :tada:');
  await page.waitForFunction(() => document.querySelector('textarea')?.value === 'off 🚀 🎉');
  await press('Control+z');
  expect(await field(page).inputValue()).toBe('off 🚀 :tada:');
  await press('Control+Shift+z');
  expect(await field(page).inputValue()).toBe('off 🚀 🎉');
  // What only looks like one is sent as it is.
  await type(' :D at 10:30');
  await press('Enter');
  await message(page, 'off 🚀 🎉 :D at 10:30').waitFor();
});

test('what the picker and the lists put in is taken back step by step', async () => {
  const undone = async (before: string, after: string) => {
    expect(await field(page).inputValue()).toBe(after);
    await press('Control+z');
    expect(await field(page).inputValue()).toBe(before);
    await press('Control+Shift+z');
    expect(await field(page).inputValue()).toBe(after);
    await press('Control+z');
    expect(await field(page).inputValue()).toBe(before);
    // What came back is selected.
    await press('End');
  };
  await type('one two ');
  await press('Shift+Tab');
  await press('Enter');
  await page.getByRole('searchbox', { name: 'Search emoji' }).waitFor();
  await type('rocket');
  await page.getByRole('button', { name: /^🚀 rocket/ }).waitFor();
  await press('Enter');
  await page.waitForFunction(() => document.querySelector('textarea')?.value === 'one two 🚀');
  await undone('one two ', 'one two 🚀');
  await type('and @bo');
  await page.getByRole('option', { name: /bob/ }).waitFor();
  await press('Tab');
  await page.waitForFunction(() => document.querySelector('textarea')?.value.endsWith('@bob '));
  await undone('one two and @bo', 'one two and @bob ');
  await type('b and :rocke');
  await page.getByRole('option', { name: /🚀.*:rocket:/ }).waitFor();
  await press('Enter');
  await page.waitForFunction(() => document.querySelector('textarea')?.value.endsWith('🚀'));
  await undone('one two and @bob and :rocke', 'one two and @bob and 🚀');
  await press('Escape');
  await press('Control+b');
  await type('!');
  expect(await field(page).inputValue()).toBe('one two and @bob and :rocke**!**');
  await press('Control+a');
  await press('Delete');
});

test('search in the chat goes from hit to hit', async () => {
  await press('Control+f');
  await page.getByRole('combobox', { name: 'Search in this chat' }).waitFor();
  await type('ir');
  await page.getByRole('option', { name: /third/ }).waitFor();
  await press('Enter');
  await page.getByText('1 of 2').waitFor();
  await press('ArrowDown');
  await page.getByText('2 of 2').waitFor();
  await press('Enter');
  await log(page).locator('.highlighted', { hasText: 'first' }).waitFor();
  await press('Escape');
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
});

test('a list that is gone takes its last events', async () => {
  const view = await log(page).elementHandle();
  await press('Alt+ArrowDown');
  await page.getByRole('region', { name: 'Night shift' }).waitFor();
  expect(await view?.evaluate((element) => element.isConnected)).toBe(false);
  // As a scroll does that was under way; an error in a handler is a complaint of the page.
  await view?.evaluate((element) => {
    element.dispatchEvent(new Event('scroll'));
    element.dispatchEvent(new WheelEvent('wheel', { deltaY: -10 }));
  });
  await press('Alt+ArrowUp');
  await page.getByRole('region', { name: 'Harbour walk' }).waitFor();
});

test('Alt and arrows go between chats, also to the unread one', async () => {
  await press('Alt+ArrowDown');
  await page.getByRole('region', { name: 'Night shift' }).waitFor();
  await press('Alt+ArrowUp');
  await page.getByRole('region', { name: 'Harbour walk' }).waitFor();
  const client = await bob.script();
  const other = (await client.conversations()).find((one) => one.info.title === 'Night shift');
  await say(bob, { type: 'conversation', conversation: other?.id ?? '' }, ['psst']);
  await list(page)
    .getByLabel('One unread message')
    .or(list(page).getByText('One unread message'))
    .first()
    .waitFor();
  await press('Alt+Shift+ArrowDown');
  await page.getByRole('region', { name: 'Night shift' }).waitFor();
});

test('landmarks, the ends of the chat and the help are reached by keys', async () => {
  await press('Alt+Shift+ArrowUp');
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Chat or person' }).waitFor();
  await type('harb');
  await page.getByRole('option', { name: /Harbour walk/ }).waitFor();
  await press('Enter');
  await field(page).focus();
  const place = () =>
    page.evaluate(() => {
      const here = document.activeElement?.closest<HTMLElement>('[data-landmark]');
      return here?.getAttribute('aria-label') ?? here?.tagName.toLowerCase();
    });
  expect(await place()).toBe('main');
  const around: (string | undefined)[] = [];
  for (let i = 0; i < 3; i++) {
    await press('Control+F6');
    around.push(await place());
  }
  expect(around).toEqual(['Main', 'Chats', 'main']);
  await press('Control+Shift+F6');
  expect(await place()).toBe('Chats');
  await press('Control+/');
  const help = page.getByRole('dialog', { name: 'Keyboard' });
  for (const what of ['Bold', 'Italic', 'Link', 'Next part of the window'])
    await help.getByText(what, { exact: true }).waitFor();
  // It is longer than the window.
  expect(await accessFaults(page)).toEqual([]);
  await press('Escape');
  await help.waitFor({ state: 'detached' });
  await field(page).focus();
  await press('Control+Home');
  await page.waitForFunction(
    () =>
      document.activeElement?.getAttribute('role') === 'article' &&
      document.querySelector('[role=log]')?.scrollTop === 0,
  );
  await press('Escape');
  await press('Control+End');
  await page.waitForFunction(() => {
    const view = document.querySelector('[role=log]');
    return view && view.scrollHeight - view.scrollTop - view.clientHeight < 24;
  });
  await press('Alt+ArrowDown');
  await page.getByRole('region', { name: 'Night shift' }).waitFor();
});

test('what others write is announced', async () => {
  // What is there when the chat opens is no news.
  await log(page).getByText('psst').waitFor();
  const client = await bob.script();
  const other = (await client.conversations()).find((one) => one.info.title === 'Night shift');
  const to = { type: 'conversation', conversation: other?.id ?? '' } as const;
  // What came while it was being read anew, with what was kept already shown, is none either.
  await say(bob, to, ['are you there?']);
  await log(page).getByText('are you there?').waitFor();
  await say(bob, to, ['listen to this']);
  await page
    .locator('[aria-live=polite]')
    .filter({ hasText: /bob: listen to this|new messages/ })
    .waitFor({ state: 'attached' });
});

test('axe finds nothing serious', async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // Through the debugger: the page's own policy would refuse it as a script.
  await page.evaluate(axe);
  const bad = await page.evaluate(async () => {
    const run = (
      window as never as {
        axe: {
          run(): Promise<{
            violations: { id: string; impact: string; nodes: { html: string }[] }[];
          }>;
        };
      }
    ).axe;
    const { violations } = await run.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  });
  expect(bad).toEqual([]);
});
