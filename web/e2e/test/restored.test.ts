/**
 * The web client when the server's store is another one than it knows, and when
 * the server's disk lost a message: it says so, and shows what there is.
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PHONE } from '../src/browser.ts';
import { enter, message } from '../src/chat.ts';
import { say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();

test('after a restore what came later is gone, and what is sent from then on is shown', async () => {
  const [ann, bob] = [await stage.person('ann'), await stage.person('bob')];
  const toAnn = { type: 'user', user: ann.user.id } as const;
  await say(bob, toAnn, ['kept']);
  const device = await stage.device(ann);
  const page = await device.page('/u/0');
  await enter(page, bob.name);
  await message(page, 'kept').waitFor();
  const copy = await stage.server.backUp();
  await say(bob, toAnn, ['lost 1', 'lost 2', 'lost 3']);
  await message(page, 'lost 3').waitFor();

  await stage.server.restore(copy);
  const notice = page.getByText('The server was restored from a copy.');
  await notice.waitFor();
  await say(bob, toAnn, ['new 1', 'new 2', 'new 3', 'new 4']);
  for (const text of ['kept', 'new 1', 'new 2', 'new 3', 'new 4']) {
    await message(page, text).waitFor();
    expect(await message(page, text).count(), text).toBe(1);
  }
  expect(await page.getByText(/^lost/).count()).toBe(0);
  // It stays until it is closed, and does not come again.
  await page.getByRole('button', { name: 'Close' }).click();
  await notice.waitFor({ state: 'detached' });
  await page.reload();
  await message(page, 'new 4').waitFor();
  expect(await page.getByText(/^lost/).count()).toBe(0);
  expect(await notice.count()).toBe(0);
});

test('a message that the disk of the server lost has its place, between the others', async () => {
  const [ann, bob] = [await stage.person('anna'), await stage.person('ben')];
  const toAnn = { type: 'user', user: ann.user.id } as const;
  // Does not compress, so that it is found on the disk, and long enough for a file of its sort.
  const long = randomBytes(4500).toString('base64url');
  await say(bob, toAnn, ['before', long, 'after']);
  // Each start writes down the log of the one before.
  for (let start = 0; start < 2; start += 1) {
    await stage.server.kill('SIGTERM');
    await stage.server.revive();
  }
  await stage.server.kill('SIGTERM');
  await rot(join(stage.server.data, 'db'), long.slice(3000, 3032));
  await stage.server.revive();

  const device = await stage.device(ann, PHONE);
  const page = await device.page('/u/0');
  await enter(page, bob.name);
  await message(page, 'before').waitFor();
  await message(page, 'after').waitFor();
  await page.getByText('This message can’t be read').waitFor();
  await say(bob, toAnn, ['life goes on']);
  await message(page, 'life goes on').waitFor();
});

/** Flips a bit of these words in the file that holds them. */
async function rot(database: string, words: string): Promise<void> {
  for (const name of await readdir(database)) {
    if (!name.endsWith('.blob')) continue;
    const path = join(database, name);
    const bytes = await readFile(path);
    const at = bytes.indexOf(words);
    if (at < 0) continue;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
    return;
  }
  throw new Error('the words are in no file');
}
