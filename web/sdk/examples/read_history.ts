/** Lists the conversations, and the newest messages of each as they are now. */

import { Client, HttpApi } from '@parley/client';
import { WebSocket } from 'ws';

const [url = '', name = '', password = ''] = process.argv.slice(2);

const api = new HttpApi({ url, auth: { kind: 'token', token: '' } });
const { token = '' } = await api.signIn({ name, password, device: { name: 'example' } });
const client = new Client({ url, auth: { kind: 'token', token }, WebSocket });
await client.start();
for (const line of await client.conversations()) {
  console.log(`${line.info.title || line.peer?.name} (${line.unread} unread)`);
  const page = await client.history(line.id, { type: 'latest' }, { limit: 20 });
  for (const entry of page.entries) {
    if (entry.type !== 'message' || entry.deleted) continue;
    const reactions = entry.reactions.map((it) => `${it.emoji} ${it.users.length}`).join(' ');
    console.log(`  ${entry.sender.name}: ${entry.text} ${reactions}`.trimEnd());
  }
}
await client.close();
