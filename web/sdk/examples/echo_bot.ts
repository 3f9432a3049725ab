/** A bot that answers every message with its own words, until it is stopped. */

import { Client, HttpApi } from '@parley/client';
import { WebSocket } from 'ws';

const [url = '', name = '', password = ''] = process.argv.slice(2);

const getToken = async () => {
  const api = new HttpApi({ url, auth: { kind: 'token', token: '' } });
  const { token = '' } = await api.signIn({ name, password, device: { name: 'bot' } });
  return token;
};

const client = new Client({ url, auth: { kind: 'token', getToken }, WebSocket });
client.on(async (event) => {
  if (event.type === 'state') console.log(event.state.type);
  if (event.type !== 'entry' || event.entry.type !== 'message') return;
  // Its own messages come as events too: it would answer itself for ever.
  if (event.entry.own) return;
  await client.send(event.entry, event.entry.text);
});
await client.start();
