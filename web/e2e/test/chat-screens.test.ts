/** Pictures of the chat screens, desktop and phone, light and dark, and right to left, for people to look at. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { accessFaults } from '../src/axe.ts';
import { DESKTOP, type Device, PHONE } from '../src/browser.ts';
import { drawn, log, message } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

const FOLDER = join(import.meta.dirname, '../screenshots');

let ann: Person;
let walk: string;
let direct: string;
const others: Person[] = [];

beforeAll(async () => {
  await mkdir(FOLDER, { recursive: true });
  ann = await stage.person('ann');
  for (const name of ['bob', 'cid', 'dora']) others.push(await stage.person(name));
  const [bob, cid, dora] = others as [Person, Person, Person];
  for (const [person, displayName] of [
    [ann, 'Ann Lindqvist'],
    [bob, 'Bob Okafor'],
    [cid, 'Cid Álvarez'],
    [dora, 'درة الفاسي'],
  ] as const)
    await (await person.script()).changeProfile({ displayName });
  walk = await group('Harbour walk', bob, ann, cid, dora);
  await group('Night shift', dora, ann);
  const to = { type: 'conversation', conversation: walk } as const;
  await say(bob, to, [
    'Sunday at ten, by the old crane?',
    'It should stay dry: https://example.com/forecast',
  ]);
  await say(dora, to, ['أنا قادمة، سأحضر القهوة', '☕️']);
  await say(cid, to, [
    'I will be ten minutes late. The ferry only goes every half hour, and I would rather not run for it again like last time.',
  ]);
  await say(ann, to, ['Take your time', 'See you all there']);
  const client = await bob.script();
  await client.submit(to, { type: 'react', seq: 6, emoji: '👍' });
  await (await cid.script()).submit(to, { type: 'react', seq: 6, emoji: '❤️' });
  const { localId } = await client.submit(to, {
    type: 'text',
    text: '@ann can you bring the map?',
    replyTo: 8,
    mentions: [{ start: 0, length: 4, who: { type: 'user', user: ann.user.id } }],
  });
  await client.committed(localId);
  await say(ann, { type: 'user', user: bob.user.id }, ['Lunch tomorrow?']);
  await say(bob, { type: 'user', user: ann.user.id }, ['Gladly. Noon?']);
  direct =
    (await (await ann.script()).conversations()).find((one) => one.kind === 'direct')?.id ?? '';
});

interface Look {
  readonly name: string;
  readonly options: BrowserContextOptions;
  readonly language?: string;
}

const LOOKS: readonly Look[] = [
  { name: 'desktop-light', options: { ...DESKTOP, colorScheme: 'light' } },
  { name: 'desktop-dark', options: { ...DESKTOP, colorScheme: 'dark' } },
  { name: 'phone-light', options: { ...PHONE, colorScheme: 'light' } },
  { name: 'phone-dark', options: { ...PHONE, colorScheme: 'dark' } },
  { name: 'desktop-rtl', options: { ...DESKTOP, colorScheme: 'light' }, language: 'ar' },
  { name: 'phone-rtl', options: { ...PHONE, colorScheme: 'dark' }, language: 'ar' },
];

for (const look of LOOKS) {
  test(look.name, async () => {
    const device: Device = await stage.device(ann, look.options);
    const page: Page = await device.page('/u/0');
    if (look.language) {
      await page.evaluate(
        (language) => localStorage.setItem('parley.device', JSON.stringify({ language })),
        look.language,
      );
      await page.reload();
    }
    const shot = async (name: string) => {
      await drawn(page);
      await page.screenshot({
        path: join(FOLDER, `chat-${name}-${look.name}.png`),
        animations: 'disabled',
      });
      // Nothing may be wider than the window.
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      ).toBeLessThanOrEqual(0);
      expect(await accessFaults(page), name).toEqual([]);
    };
    await page.getByText('Harbour walk').first().waitFor();
    await shot('list');
    await page.goto(`${stage.server.http}/u/0/c/${walk}`);
    const rows = page.getByRole('article').filter({ hasText: 'can you bring the map?' });
    await rows.waitFor();
    await shot('group');
    await rows.locator('.bubble').click({ button: 'right' });
    await page.getByRole('menu').waitFor();
    await shot('menu');
    await page.keyboard.press('Escape');
    await page.locator('textarea').fill('@b');
    await page.getByRole('option').first().waitFor();
    await shot('mention');
    await page.locator('textarea').fill('well done :tad');
    await page.getByRole('option', { name: ':tada:' }).waitFor();
    await shot('emoji-name');
    await page.locator('textarea').fill('');
    await page.locator('form.composer button').first().click();
    await page.locator('.picker .grid button').first().waitFor();
    await shot('emoji');
    await page.keyboard.press('Escape');
    await page.goto(`${stage.server.http}/u/0/c/${direct}`);
    await page.getByText('Gladly. Noon?').last().waitFor();
    await shot('direct');
    await page.goto(`${stage.server.http}/u/0/c/${walk}/info`);
    await page.getByRole('tab').first().waitFor();
    await shot('info');
    await page.goto(`${stage.server.http}/u/0/new-group`);
    await page.getByRole('textbox').first().waitFor();
    await shot('new-group');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').waitFor();
    await shot('switcher');
  });
}

test('a lost connection is shown, with the time of the next try', async () => {
  const device = await stage.device(ann);
  const page = await device.page(`/u/0/c/${walk}`);
  await log(page).waitFor();
  await message(page, 'See you all there').first().waitFor();
  await stage.server.kill();
  await page
    .getByText(/Trying again in/)
    .first()
    .waitFor();
  await drawn(page);
  await page.screenshot({ path: join(FOLDER, 'chat-reconnecting-desktop-light.png') });
  await page.locator('textarea').fill('written without a connection');
  await page.keyboard.press('Enter');
  await message(page, 'written without a connection')
    .getByRole('img', { name: /Waiting|Sending/ })
    .waitFor();
  await stage.server.restart();
  await page
    .getByRole('button', { name: 'Try now' })
    .click()
    .catch(() => undefined);
  await message(page, 'written without a connection')
    .getByRole('img', { name: /Sent|Delivered|Read/ })
    .waitFor();
});
