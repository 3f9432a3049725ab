/** The server is killed in the middle of sends: nothing is lost, doubled or reordered. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message } from '../../src/types.ts';
import { Server, type TestClient } from '../support/server.ts';

let server: Server;
let clients: TestClient[] = [];

beforeEach(async () => {
  server = await Server.start();
});

afterEach(async () => {
  for (const client of clients) await client.close();
  clients = [];
  await server.stop();
});

async function sign(name: string): Promise<TestClient> {
  const client = await server.client(await server.signUp(name));
  clients.push(client);
  return client;
}

function heard(client: TestClient, conversation: string): Message[] {
  return client.events.flatMap((event) => {
    const entry = event.type === 'entry' && event.entry;
    return entry && entry.type === 'message' && entry.conversation === conversation ? [entry] : [];
  });
}

test('kills in the middle of sends lose, double and reorder nothing', async () => {
  const [ann, ben, cid] = [await sign('ann'), await sign('ben'), await sign('cid')];
  const made = await ann.submit(
    { type: 'newGroup' },
    {
      type: 'createGroup',
      title: 'all',
      members: [(await ann.findUser('ben')).id, (await ann.findUser('cid')).id],
    },
  );
  const { conversation } = await ann.committed(made.localId);
  const to = { type: 'conversation', conversation } as const;
  await Promise.all(
    [ben, cid].map((it) =>
      it.until((e) => e.type === 'conversation' && e.conversation.id === conversation),
    ),
  );

  const COUNT = 40;
  const sends = async (client: TestClient, name: string) => {
    const handles = [];
    for (let n = 0; n < COUNT; n++) {
      handles.push(await client.send(to, `${name} ${n}`));
      if (n % 4 === 3) await handles[n - 1]?.sent();
    }
    return Promise.all(handles.map((handle) => handle.sent()));
  };
  const everything = Promise.all([sends(ann, 'ann'), sends(ben, 'ben'), sends(cid, 'cid')]);
  let over = false;
  void everything.then(() => {
    over = true;
  });
  let kills = 0;
  while (!over && kills < 6) {
    // Amid them: as soon as some more came through since the last time.
    const before = heard(ann, conversation).length;
    await ann.until(() => over || heard(ann, conversation).length > before + 3);
    await server.restart();
    kills++;
  }
  const sent = await everything;
  expect(kills).toBeGreaterThan(1);

  const seqs = sent.flat().map((it) => it.seq);
  expect(new Set(seqs).size).toBe(3 * COUNT);
  for (const own of sent) {
    expect(own.map((it) => it.seq)).toEqual([...own.map((it) => it.seq)].sort((a, b) => a - b));
  }
  const last = Math.max(...seqs);
  for (const client of [ann, ben, cid]) {
    await client.until(() => heard(client, conversation).some((it) => it.seq === last));
    const got = heard(client, conversation);
    // Each once, in order, and all of it.
    expect(got.map((it) => it.seq)).toEqual([...seqs].sort((a, b) => a - b));
    for (const name of ['ann', 'ben', 'cid']) {
      const texts = got.filter((it) => it.sender.name === name).map((it) => it.text);
      expect(texts).toEqual(Array.from({ length: COUNT }, (_, n) => `${name} ${n}`));
    }
  }
  // And the log itself says the same.
  const page = await ben.history(conversation, { type: 'after', seq: 1 }, { limit: 200 });
  expect(page.entries.map((it) => it.seq)).toEqual([...seqs].sort((a, b) => a - b));
});

test('what was queued while the server was away goes out when it is back, in order', async () => {
  const [ann, ben] = [await sign('ann'), await sign('ben')];
  await server.kill();
  await ann.until((event) => event.type === 'state' && event.state.type === 'waiting');
  const handles = [];
  for (let n = 0; n < 5; n++) handles.push(await ann.send('ben', `offline ${n}`));
  expect((await ann.outbox()).map((item) => item.status)).toEqual(Array(5).fill('queued'));
  const taken = await ann.send('ben', 'taken back');
  expect(await taken.abort()).toBe(true);
  await expect(taken.sent()).rejects.toMatchObject({ kind: 'aborted' });
  await server.restart();
  const sent = await Promise.all(handles.map((handle) => handle.sent()));
  expect(sent.map((it) => it.seq)).toEqual([1, 2, 3, 4, 5]);
  await ben.message('offline 4');
  const conversation = sent[0]?.conversation ?? '';
  expect(heard(ben, conversation).map((it) => it.text)).toEqual(
    [0, 1, 2, 3, 4].map((n) => `offline ${n}`),
  );
  expect(await ann.outbox()).toEqual([]);
});

test('a device that was away gets what it missed, in order, and once', async () => {
  const [ann, ben] = [await sign('ann'), await sign('ben')];
  const first = await (await ann.send('ben', 'first')).sent();
  await ben.message('first');
  // The machine keeps its place over the break; the transport is gone meanwhile.
  const phone = await server.client(await server.signIn('ben', 'phone'));
  clients.push(phone);
  await phone.online();
  for (let n = 0; n < 250; n++) {
    const handle = await ann.send('ben', `more ${n}`);
    if (n === 100) {
      await handle.sent();
      await server.restart();
    }
  }
  for (const client of [ben, phone]) {
    await client.message('more 249');
    const seqs = heard(client, first.conversation).map((it) => it.seq);
    expect(seqs.at(-1)).toBe(251);
    for (const [at, seq] of seqs.entries()) if (at > 0) expect(seq).toBe((seqs[at - 1] ?? 0) + 1);
  }
  const [line] = await ben.conversations();
  expect(line?.lastSeq).toBe(251);
});
