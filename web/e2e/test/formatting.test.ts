/** Formatted messages: written by keys, shown by elements alone, plain everywhere else, intact whatever is written. */

import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { type Device, PHONE } from '../src/browser.ts';
import { choose, field, list, log, message, write } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { picture } from '../src/pictures.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

const SHOWN = [
  'This is **bold**, *italic*, _also italic_, ~~gone~~ and `code`.',
  'Look at [the plan](https://example.com/plan) — and [**loud**](https://example.com/loud).',
  '> what was *said*\n> before\n\nand the answer',
  'Try this:\n```ts\nconst a = **b**; // as it is\n```\nor not.',
  'هذا **مهم** جدا و`const x` أيضا',
];

let ann: Person;
let bob: Person;
let device: Device;
let page: Page;
let conversation: string;

beforeAll(async () => {
  ann = await stage.person('ann');
  bob = await stage.person('bob');
  conversation = await group('Formats', bob, ann);
  device = await stage.device(ann);
  await device.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  page = await device.page(`/u/0/c/${conversation}`);
  await field(page).waitFor();
});

const html = (text: string) =>
  message(page, text)
    .locator('.text')
    .evaluate((element) =>
      element.innerHTML
        .replace(/<!--.*?-->/g, '')
        .replace(/ (class|dir|title|target|rel|tabindex)="[^"]*"/g, ''),
    );

test('keys put marks around what is selected, take them off, and can be undone', async () => {
  await field(page).fill('mind this word');
  await field(page).evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(5, 9));
  await page.keyboard.press('Control+b');
  expect(await field(page).inputValue()).toBe('mind **this** word');
  await page.keyboard.press('Control+i');
  expect(await field(page).inputValue()).toBe('mind ***this*** word');
  await page.keyboard.press('Control+b');
  expect(await field(page).inputValue()).toBe('mind *this* word');
  await page.keyboard.press('Control+z');
  expect(await field(page).inputValue()).toBe('mind ***this*** word');
  await field(page).fill('see here');
  await field(page).evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(4, 8));
  await page.keyboard.press('Control+Shift+L');
  await page.keyboard.type('https://example.com/x');
  expect(await field(page).inputValue()).toBe('see [here](https://example.com/x)');
  await page.keyboard.press('Enter');
  await message(page, 'see here').waitFor();
  expect(await html('see here')).toBe('see <a href="https://example.com/x">here</a>');
});

test('a bar of marks at the field says and applies them', async () => {
  await page.getByRole('button', { name: 'Formatting' }).click();
  const bar = page.getByRole('toolbar', { name: 'Formatting' });
  await field(page).fill('one two');
  await field(page).evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(4, 7));
  await bar.getByRole('button', { name: 'Strike through' }).click();
  expect(await field(page).inputValue()).toBe('one ~~two~~');
  await bar.getByRole('button', { name: 'List' }).click();
  expect(await field(page).inputValue()).toBe('- one ~~two~~');
  await page.keyboard.press('Control+z');
  expect(await field(page).inputValue()).toBe('one ~~two~~');
  await field(page).evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(6, 9));
  await bar.getByRole('button', { name: 'Bold' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  expect(await field(page).inputValue()).toBe('one two');
  await picture(page, 'formatting-bar');
  expect(await accessFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Formatting' }).click();
  await field(page).fill('');
});

test('copied formatting becomes marks, pasted as plain text none; blank ends are not sent', async () => {
  await field(page).focus();
  await page.evaluate(() => {
    const html = new Blob(['<p>A <b>bold</b> <a href="https://example.com/x">link</a></p>'], {
      type: 'text/html',
    });
    const plain = new Blob(['A bold link'], { type: 'text/plain' });
    return navigator.clipboard.write([
      new ClipboardItem({ 'text/html': html, 'text/plain': plain }),
    ]);
  });
  const marked = 'A **bold** [link](https://example.com/x)';
  await page.keyboard.press('Control+v');
  expect(await field(page).inputValue()).toBe(marked);
  await page.keyboard.press('Control+z');
  expect(await field(page).inputValue()).toBe('');
  await page.keyboard.press('Control+Shift+v');
  expect(await field(page).inputValue()).toBe('A bold link');
  for (const key of ['Shift+Enter', 'Shift+Enter', 'Control+Home', 'Shift+Enter', 'Enter'])
    await page.keyboard.press(key);
  await message(page, 'A bold link').waitFor();
  expect(await message(page, 'A bold link').locator('.text').textContent()).toBe('A bold link');
});

test('a dropped file and a pasted picture are not sent, and the app says so and stays', async () => {
  const said = page.getByText('Files and pictures can’t be sent yet.');
  const close = page.locator('.notice').getByRole('button', { name: 'Close' });
  // What is not prevented makes a browser leave the page for the file.
  const prevented = (type: string, where: string, data: 'file' | 'text') =>
    page.evaluate(
      ([type, where, data]) => {
        const dataTransfer = new DataTransfer();
        if (data === 'file')
          dataTransfer.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
        else dataTransfer.setData('text/plain', 'x');
        const event = new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
        return !document.querySelector(where)?.dispatchEvent(event);
      },
      [type, where, data] as const,
    );
  for (const where of ['textarea', '.conversation', '.list', 'body']) {
    expect(await prevented('dragover', where, 'file')).toBe(true);
    expect(await prevented('drop', where, 'file')).toBe(true);
  }
  await said.waitFor();
  await close.click();
  await said.waitFor({ state: 'detached' });
  // A text goes into a field; elsewhere a browser would follow a dropped link.
  expect(await prevented('drop', 'textarea', 'text')).toBe(false);
  expect(await prevented('drop', 'body', 'text')).toBe(true);
  expect(await said.count()).toBe(0);
  await field(page).focus();
  await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    const picture = await new Promise<Blob | null>((done) => canvas.toBlob(done));
    if (picture) await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
  });
  await page.keyboard.press('Control+v');
  await said.waitFor();
  expect(await field(page).inputValue()).toBe('');
});

test('what is formatted is shown by elements, and nothing else becomes one', async () => {
  await say(bob, { type: 'conversation', conversation }, SHOWN);
  await message(page, 'and the answer').waitFor();
  expect(await html('This is')).toBe(
    'This is <strong>bold</strong>, <em>italic</em>, <em>also italic</em>, <s>gone</s> and <code>code</code>.',
  );
  expect(await html('Look at')).toBe(
    'Look at <a href="https://example.com/plan">the plan</a> — and <strong><a href="https://example.com/loud">loud</a></strong>.',
  );
  expect(await html('and the answer')).toBe(
    '<blockquote>what was <em>said</em>\nbefore</blockquote>and the answer',
  );
  const code = message(page, 'Try this').locator('.code');
  expect(await code.locator('pre').textContent()).toBe('const a = **b**; // as it is');
  expect(await code.locator('.language').textContent()).toBe('ts');
  await code.getByRole('button', { name: 'Copy code' }).click();
  await page.getByText('Copied.').waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    'const a = **b**; // as it is',
  );
  const link = message(page, 'Look at').locator('a').first();
  expect(await link.getAttribute('rel')).toContain('noopener');
  expect(await link.getAttribute('title')).toBe('https://example.com/plan');
  await say(bob, { type: 'conversation', conversation }, [
    '**<img src=x onerror="window.hacked=1">** `<b>x</b>` [x](javascript:window.hacked=1)',
    '[https://bank.example](https://evil.example/) masked',
  ]);
  await message(page, 'masked').waitFor();
  expect(await html('onerror')).toBe(
    '<strong>&lt;img src=x onerror="window.hacked=1"&gt;</strong> <code>&lt;b&gt;x&lt;/b&gt;</code> [x](javascript:window.hacked=1)',
  );
  expect(await message(page, 'masked').locator('.text').textContent()).toBe(
    '[https://bank.example](https://evil.example/) masked',
  );
  // Each address leads where it says; none hides behind the other.
  const masked = message(page, 'masked').locator('.text a');
  expect(
    await masked.evaluateAll((all) => all.map((a) => [a.textContent, a.getAttribute('href')])),
  ).toEqual([
    ['https://bank.example', 'https://bank.example/'],
    ['https://evil.example/', 'https://evil.example/'],
  ]);
  expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
});

test('the list, quotes and what is read aloud have the words alone; copying gives the source', async () => {
  await say(bob, { type: 'conversation', conversation }, ['the **last** one is `here`']);
  await list(page).getByText('bob: the last one is here').waitFor();
  const row = log(page).getByRole('article', { name: /^bob, the last one is here, / });
  await row.waitFor();
  await choose(page, 'the last one', 'Reply');
  await page.locator('.composer .about').getByText('the last one is here').waitFor();
  await write(page, 'an answer to it');
  await message(page, 'an answer to it').getByText('the last one is here').waitFor();
  await choose(page, 'and the answer', 'Copy text');
  await page.getByText('Copied.').waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(SHOWN[2]);
});

test('a hundred thousand stars are shown as they are', async () => {
  const stars = '*'.repeat(100_000);
  const unclosed = `**bold ${'*a '.repeat(2_000)}`;
  await say(bob, { type: 'conversation', conversation }, [stars, unclosed, 'after the stars']);
  await message(page, 'after the stars').waitFor();
  const row = log(page).getByRole('article', { name: /^bob, \*\*\*\*/ });
  await row.getByRole('button', { name: 'Read more' }).click();
  expect(await row.locator('.text').textContent()).toBe(stars);
  await row.getByRole('button', { name: 'Show less' }).click();
  const open = message(page, '**bold');
  await open.getByRole('button', { name: 'Read more' }).click();
  expect(await open.locator('.text').textContent()).toBe(unclosed);
  await open.getByRole('button', { name: 'Show less' }).click();
});

for (const look of [
  { name: 'formatting-light', options: {} },
  { name: 'formatting-dark', options: { colorScheme: 'dark' as const } },
  { name: 'formatting-phone-arabic', options: { ...PHONE, locale: 'ar' } },
]) {
  test(`nothing serious for ${look.name}`, async () => {
    const other = await stage.device(ann, look.options);
    const where = await other.page(`/u/0/c/${conversation}/${await firstSeq()}`);
    await where.locator('.text strong').first().waitFor();
    expect(await accessFaults(where)).toEqual([]);
    await picture(where, look.name);
    expect(await where.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(
      true,
    );
  });
}

/** Where the formatted messages begin. */
async function firstSeq(): Promise<number> {
  const { entries } = await (await bob.script()).history(conversation, { type: 'after', seq: 0 });
  const first = entries.find((entry) => entry.type === 'message' && entry.text === SHOWN[3]);
  return first?.seq ?? 1;
}
