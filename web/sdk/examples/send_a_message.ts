/**
 * Says something to somebody, and waits until it was delivered: whoever has you among their contacts, or answered you
 * once, tells.
 */

import { Client, HttpApi } from '@parley/client';
import { WebSocket } from 'ws';

const [url = '', name = '', password = '', to = '', text = ''] = process.argv.slice(2);

const api = new HttpApi({ url, auth: { kind: 'token', token: '' } });
const { token = '' } = await api.signIn({ name, password, device: { name: 'example' } });

// Node before 22 has no WebSocket of its own; browsers need none given.
const client = new Client({ url, auth: { kind: 'token', token }, WebSocket });
await client.start();
const handle = await client.send(to, text);
// Listened for before it is committed: what happened before is not told again.
const delivered = new Promise<void>((resolve) => {
  client.on((event) => {
    if (event.type === 'progress' && event.localId === handle.localId) resolve();
  });
});
const { seq } = await handle.sent();
console.log(`committed as number ${seq}`);
await delivered;
console.log('delivered');
await client.close();
