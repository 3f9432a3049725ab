/** The SDK's WebTransport in Chromium, trusted by the hash of the server's certificate, and its way back to a WebSocket. */
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from '../src/browser.ts';
import { Server } from '../src/server.ts';

let sdk = '';
const browser = openBrowser();

beforeAll(async () => {
  const input = join(import.meta.dirname, '../../sdk/src/index.ts');
  const bundle = await rolldown({ input });
  const { output } = await bundle.generate({ format: 'iife', name: 'P', codeSplitting: false });
  sdk = `${output[0].code};globalThis.P = P`;
});

afterAll(async () => (await browser).close());

/** Signs up in a page of the server, says something to oneself, and tells how that went. */
async function talk(server: Server) {
  // The page has nothing of the web client; its policy would forbid what is evaluated here.
  const page = await (await browser).newPage({ bypassCSP: true });
  await page.goto(`${server.http}/livez`);
  await page.evaluate(sdk);
  return page.evaluate(async () => {
    const { HttpApi, Client } = (globalThis as unknown as { P: typeof import('@parley/client') }).P;
    const auth = { kind: 'cookie', slot: 0 } as const;
    const device = { name: 'page' };
    await new HttpApi({ auth }).signUp({ name: 'ann', password: 'a long password', device });
    const client = new Client({ auth, transports: ['webtransport', 'websocket'] });
    let fellBack = false;
    client.on((event) => {
      fellBack ||= event.type === 'fellBack';
    });
    await client.start();
    const { seq } = await (await client.send('ann', 'note to self')).sent();
    const { state } = client;
    await client.close();
    return { seq, fellBack, transport: state.type === 'ready' && state.session.transport };
  });
}

test('a session over WebTransport', async () => {
  const server = await Server.start({ set: { 'webtransport.enabled': 'true' } });
  expect(await talk(server)).toEqual({ seq: 1, fellBack: false, transport: 'webtransport' });
  await server.stop();
});

test('a server without it is reached by WebSocket', async () => {
  const server = await Server.start();
  expect(await talk(server)).toEqual({ seq: 1, fellBack: true, transport: 'websocket' });
  await server.stop();
});
