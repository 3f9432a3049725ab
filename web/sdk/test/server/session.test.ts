/** Tokens that end, stores that belong to others, sessions that are closed. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { HttpApi, ParleyError } from '../../src/index.ts';
import { Server, type TestClient } from '../support/server.ts';

let server: Server;

beforeAll(async () => {
  server = await Server.start();
});

afterAll(() => server?.stop());

function closed(client: TestClient) {
  return client.until(
    (event) => event.type === 'state' && event.state.type === 'closed' && event.state,
  );
}

test('a revoked token ends a client that has no other', async () => {
  const token = await server.signUp('ann');
  const client = await server.client(token);
  await client.online();
  await new HttpApi({ url: server.url, auth: { kind: 'token', token } }).signOut();
  expect((await closed(client)).error).toMatchObject({ kind: 'signIn', retry: 'sign_in' });
  await expect(client.account()).rejects.toMatchObject({ kind: 'closed' });
});

test('an expired token is replaced by the callback, and what waited goes out', async () => {
  await server.signUp('ben');
  await server.signUp('bea');
  let asked = 0;
  const getToken = () => {
    asked++;
    return server.signIn('ben', 'laptop');
  };
  const client = await server.client('', { auth: { kind: 'token', getToken } });
  await client.online();
  expect(asked).toBe(1);
  // Another device of the account signs this one out.
  const other = new HttpApi({
    url: server.url,
    auth: { kind: 'token', token: await server.signIn('ben', 'phone') },
  });
  const laptop = (await other.devices()).find((device) => device.name === 'laptop');
  expect(laptop).toMatchObject({ current: false, sessions: 1 });
  client.events.length = 0;
  await other.signOutDevice(laptop?.id ?? '');
  await client.until((event) => event.type === 'state' && event.state.type === 'signingIn');
  const sent = await (await client.send('bea', 'still here')).sent();
  expect(sent.seq).toBe(1);
  expect(asked).toBe(2);
  await client.close();
});

test('a token that was never good ends the client, a server out of reach does not', async () => {
  const client = await server.client('00'.repeat(32));
  expect((await closed(client)).error).toMatchObject({ name: 'token_invalid' });
  const away = await server.client('00'.repeat(32), { url: 'http://127.0.0.1:1' });
  const waiting = await away.until(
    (event) => event.type === 'state' && event.state.type === 'waiting' && event.state,
  );
  expect(waiting.error.kind).toBe('network');
  await away.close();
  expect(away.state.type).toBe('closed');
});

test('the JSON API says what is wrong by name', async () => {
  const api = new HttpApi({ url: server.url, auth: { kind: 'token', token: '' } });
  const credentials = { name: 'nobody', password: 'a long password', device: { name: 'x' } };
  const error = await api.signIn(credentials).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ParleyError);
  expect(error).toMatchObject({
    codeName: 'credentials_wrong',
    kind: 'signIn',
    isRetryable: false,
  });
  const away = new HttpApi({ url: 'http://127.0.0.1:1', auth: { kind: 'token', token: '' } });
  await expect(away.signIn(credentials)).rejects.toMatchObject({ kind: 'network' });
  expect(() => new HttpApi({ url: 'ftp://x', auth: { kind: 'token', token: '' } })).toThrow(
    ParleyError,
  );
});

test('drain ends with everything sent', async () => {
  await server.signUp('eve');
  const dan = await server.client(await server.signUp('dan'));
  const handles = [];
  for (let n = 0; n < 20; n++) handles.push(await dan.send('eve', `n ${n}`));
  expect(await dan.drain(20_000)).toBe(0);
  const sent = await Promise.all(handles.map((handle) => handle.sent()));
  expect(sent.at(-1)?.seq).toBe(20);
  await expect(dan.send('eve', 'late')).rejects.toMatchObject({ kind: 'closed' });
});
