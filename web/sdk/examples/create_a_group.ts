/** Makes a group with somebody, says something there, and hands out an invite link's code. */

import { Client, HttpApi } from '@parley/client';
import { WebSocket } from 'ws';

const [url = '', name = '', password = '', member = ''] = process.argv.slice(2);

const api = new HttpApi({ url, auth: { kind: 'token', token: '' } });
const { token = '' } = await api.signIn({ name, password, device: { name: 'example' } });
const client = new Client({ url, auth: { kind: 'token', token }, WebSocket });
await client.start();
const { id } = await client.findUser(member);
const made = await client.submit(
  { type: 'newGroup' },
  { type: 'createGroup', title: 'Garden', members: [id] },
);
const { conversation } = await client.committed(made.localId);
const welcome = { text: `@${member} welcome`, mentions: [mention(id, 0, member.length + 1)] };
await (await client.send({ type: 'conversation', conversation }, welcome)).sent();
const invite = await client.createInvite(conversation, { maxUses: 5 });
console.log(`join with ${invite.code}`);
await client.close();

function mention(user: string, start: number, length: number) {
  return { start, length, who: { type: 'user', user } } as const;
}
