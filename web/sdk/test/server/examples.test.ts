/** Every example runs against a real server. */

import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Event } from '../../src/types.ts';
import { Server, type TestClient } from '../support/server.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../examples/', import.meta.url));
const built = fileURLToPath(new URL('../../node_modules/.examples/', import.meta.url));
const names = readdirSync(folder).map((file) => file.replace(/\.ts$/, ''));
const password = 'a long password';

let server: Server;
let ann: TestClient;

beforeAll(async () => {
  // Node 20 runs no TypeScript by itself.
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: true,
      outDir: built,
      emptyOutDir: true,
      target: 'node20',
      rollupOptions: {
        input: Object.fromEntries(names.map((name) => [name, `${folder}${name}.ts`])),
      },
    },
    ssr: { noExternal: ['@parley/client'] },
  });
  server = await Server.start();
  ann = await server.client(await server.signUp('ann'));
  await server.signUp('ben');
  await ann.online();
  // What arrived is told to those one knows.
  await ann.addContact((await ann.findUser('ben')).id);
});

afterAll(async () => {
  await ann?.close();
  await server?.stop();
});

async function example(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [`${built}${name}.js`, server.url, ...args], {
    // One that hangs ends with its test.
    timeout: 120_000,
  });
  return stdout;
}

test('send_a_message', async () => {
  const out = await example('send_a_message', 'ben', password, 'ann', 'hello');
  expect(out).toBe('committed as number 1\ndelivered\n');
  expect((await ann.message('hello')).sender.name).toBe('ben');
});

test('receive_messages', async () => {
  await (await ann.send('ben', 'are you there?')).sent();
  const out = await example('receive_messages', 'ben', password);
  expect(out).toContain('ready\n');
  expect(out).toContain('ann: are you there?\n');
});

test('read_history', async () => {
  const out = await example('read_history', 'ben', password);
  expect(out).toContain('ann (');
  expect(out).toContain('  ben: hello\n  ann: are you there?\n');
});

test('create_a_group', async () => {
  const out = await example('create_a_group', 'ben', password, 'ann');
  expect(out).toMatch(/^join with [\w-]{43}\n$/);
  const { mentionsMe } = await ann.message('@ann welcome');
  expect(mentionsMe).toBe(true);
});

test('echo_bot', async () => {
  const args = [`${built}echo_bot.js`, server.url, 'ben', password];
  const bot = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: bot.stdout }).on('line', (line) => line === 'ready' && resolve());
      bot.once('exit', reject);
    });
    const said = ['echo', 'once more'];
    for (const text of said) {
      await (await ann.send('ben', text)).sent();
      await ann.until((event) => echoes(event).includes(text));
    }
    // One that answered itself would have gone on.
    expect(ann.events.flatMap(echoes).filter((text) => said.includes(text))).toEqual(said);
  } finally {
    bot.kill();
  }
});

/** What ben says in an event. */
function echoes(event: Event): string[] {
  const entry = event.type === 'entry' ? event.entry : undefined;
  return entry?.type === 'message' && entry.sender.name === 'ben' ? [entry.text] : [];
}

test('every example is run here', async () => {
  const { readFileSync } = await import('node:fs');
  const here = readFileSync(fileURLToPath(import.meta.url), 'utf8');
  for (const name of names) expect(here).toContain(`test('${name}'`);
});
