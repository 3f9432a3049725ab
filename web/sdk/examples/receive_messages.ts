/** Prints what comes, marks it as read, and ends after one message. */

import { Client, HttpApi } from '@parley/client';
import { WebSocket } from 'ws';

const [url = '', name = '', password = ''] = process.argv.slice(2);

const getToken = async () => {
  const api = new HttpApi({ url, auth: { kind: 'token', token: '' } });
  const { token = '' } = await api.signIn({ name, password, device: { name: 'reader' } });
  return token;
};

// The callback is asked again whenever a token was refused.
const client = new Client({ url, auth: { kind: 'token', getToken }, WebSocket });
client.on(async (event) => {
  if (event.type === 'state') console.log(event.state.type);
  if (event.type !== 'entry' || event.entry.type !== 'message' || event.entry.own) return;
  const { conversation, seq, sender, text } = event.entry;
  console.log(`${sender.name}: ${text}`);
  await client.markRead(conversation, seq);
  await client.drain(5_000);
});
await client.start();
