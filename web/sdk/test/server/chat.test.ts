/** Two people and their devices, on a real server. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { Server, type TestClient } from '../support/server.ts';

let server: Server;
let [ann, ben] = [] as unknown as [TestClient, TestClient];

beforeAll(async () => {
  server = await Server.start();
  ann = await server.client(await server.signUp('ann'));
  ben = await server.client(await server.signUp('ben'));
});

afterAll(async () => {
  await ann?.close();
  await ben?.close();
  await server?.stop();
});

test('a message arrives, is delivered and read', async () => {
  // What arrived and was read is told to those one knows.
  await ben.online();
  await ben.addContact((await ben.findUser('ann')).id);
  const sending = await ann.send('ben', 'hello');
  const sent = await sending.sent();
  const got = await ben.message('hello');
  expect(got).toMatchObject({ seq: sent.seq, own: false, sender: { name: 'ann' } });
  const own = await ann.message('hello');
  expect(own).toMatchObject({ own: true, seq: sent.seq });
  const progress = (type: string) =>
    ann.until(
      (event) =>
        event.type === 'progress' &&
        event.localId === sending.localId &&
        event.status.type === type,
    );
  await progress('delivered');
  await ben.markRead(sent.conversation, sent.seq);
  await progress('read');
  const [line] = await ben.conversations();
  expect(line).toMatchObject({ unread: 0, peer: { name: 'ann' }, kind: 'direct', read: sent.seq });
  const receipts = await ann.receipts(sent.conversation, sent.seq);
  expect(receipts[0]?.user.name).toBe('ben');
  expect(receipts[0]?.readMs).toBeGreaterThan(0);
});
