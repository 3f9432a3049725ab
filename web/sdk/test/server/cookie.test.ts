/** Signing in by cookie, and sessions by ticket, as a browser does it. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { HttpApi } from '../../src/index.ts';
import { Server, TestClient } from '../support/server.ts';

let server: Server;
let ann: TestClient;

beforeAll(async () => {
  server = await Server.start();
  ann = await server.client(await server.signUp('ann'));
});

afterAll(async () => {
  await ann?.close();
  await server?.stop();
});

/** Node's fetch keeps no cookies; a browser does. */
function browser(): typeof fetch {
  const jar = new Map<string, string>();
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    if (jar.size > 0) headers.set('cookie', [...jar].map((it) => it.join('=')).join('; '));
    const response = await fetch(input, { ...init, headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=');
      if (value === '' || /max-age=0/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
}

test('a session by cookie and ticket lasts over a restart, and ends with signing out', async () => {
  const { url } = server;
  const slot = 3;
  const options = { url, auth: { kind: 'cookie', slot }, fetch: browser() } as const;
  const api = new HttpApi(options);
  const credentials = { name: 'ben', password: 'a long password', device: { name: 'web' } };
  const { user, token } = await api.signUp(credentials);
  expect(token).toBeUndefined();
  expect(await api.signIns()).toMatchObject([{ slot, user: { name: 'ben' } }]);

  const client = new TestClient({
    ...options,
    WebSocket,
    backoff: { baseMs: 50, maxMs: 500 },
  });
  await client.start();
  await client.online();
  expect(client.me).toEqual(user);
  await (await ann.send('ben', 'before')).sent();
  await client.message('before');
  // A ticket is good once: the next connection gets another one.
  await server.restart();
  await (await ann.send('ben', 'after')).sent();
  await client.message('after');

  await api.signOut();
  const closed = await client.until(
    (event) => event.type === 'state' && event.state.type === 'closed' && event.state,
  );
  expect(closed.error).toMatchObject({ kind: 'signIn' });
  expect(await api.signIns()).toEqual([]);
});
