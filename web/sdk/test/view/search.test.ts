/** Search through a whole history, over real clients on a real server. */

import 'fake-indexeddb/auto';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openStore } from '../../src/cache/index.ts';
import type { HistoryOptions, Range } from '../../src/types.ts';
import { type HistorySearch, type SearchOptions, searchHistory } from '../../src/view/index.ts';
import { Server, type TestClient } from '../support/server.ts';

let server: Server;
const clients: TestClient[] = [];
const searches: HistorySearch[] = [];
let people = 0;

beforeAll(async () => {
  server = await Server.start();
});
afterEach(async () => {
  for (const search of searches.splice(0)) search.close();
  for (const client of clients.splice(0)) await client.close();
  await server.revive();
});
afterAll(async () => {
  await server?.stop();
});

async function person(cached = false): Promise<TestClient> {
  people += 1;
  const name = `finder-${people}`;
  const store = cached ? openStore(name, { entries: 1_000 }) : undefined;
  const client = await server.client(await server.signUp(name), { store });
  clients.push(client);
  await client.online();
  return client;
}

async function act(
  client: TestClient,
  to: Parameters<TestClient['submit']>[0],
  action: Parameters<TestClient['submit']>[1],
) {
  return client.committed((await client.submit(to, action)).localId);
}

/** A conversation of the two with these texts. */
async function chat(ann: TestClient, ben: TestClient, texts: readonly string[]): Promise<string> {
  const user = { type: 'user', user: ben.me?.id ?? '' } as const;
  const [first = '', ...others] = texts;
  const { conversation } = await act(ann, user, { type: 'text', text: first });
  const to = { type: 'conversation', conversation } as const;
  await Promise.all(others.map((text) => act(ann, to, { type: 'text', text })));
  return conversation;
}

function search(client: TestClient, id: string, options?: SearchOptions): HistorySearch {
  const made = searchHistory(client, id, options);
  searches.push(made);
  return made;
}

const until = <T>(what: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(what, { timeout: 50_000, interval: 20 });
const phase = (search: HistorySearch, wanted: string) =>
  until(() => expect(search.get().phase).toBe(wanted));
const seqs = (search: HistorySearch) => search.get().hits.map((hit) => hit.seq);

const many = Array.from({ length: 450 }, (_, i) => (i % 90 === 3 ? `the Crème ${i}` : `text ${i}`));

/** Remembers which pages were asked for. */
function spy(client: TestClient): [Range, HistoryOptions | undefined][] {
  const asked: [Range, HistoryOptions | undefined][] = [];
  const history = client.history.bind(client);
  client.history = (conversation, range, options) => {
    asked.push([range, options]);
    return history(conversation, range, options);
  };
  return asked;
}

test('everything is found to the very first message, the newest first', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await chat(ann, ben, many);
  const found = search(ann, id, { page: 50 });
  const parts: number[] = [];
  found.subscribe(({ part }) => parts.push(part));
  found.find('creme');
  await phase(found, 'done');
  expect(seqs(found)).toEqual([364, 274, 184, 94, 4]);
  const snapshot = found.get();
  expect([snapshot.looked, snapshot.part]).toEqual([450, 1]);
  expect(snapshot.backToMs).toBeGreaterThan(0);
  expect(snapshot.hits[4]?.excerpt).toContainEqual({ text: 'Crème', found: true });
  // It is said how far it is, and never goes back.
  expect(parts.length).toBeGreaterThan(4);
  expect(parts).toEqual([...parts].sort((a, b) => a - b));
});

test('what the cache has is not asked of the server again', async () => {
  const [ann, ben] = [await person(true), await person()];
  const id = await chat(ann, ben, many);
  await until(async () => {
    const cached = await ann.history(id, { type: 'before', seq: 400 }, { cache: 'only' });
    expect(cached.entries.length).toBeGreaterThan(0);
  });
  // The pages come into the cache as they are read.
  const first = search(ann, id, { page: 50 });
  first.find('creme');
  await phase(first, 'done');
  // Behind the answers, at the store's own time.
  await until(async () => {
    for (let seq = 401; seq > 1; seq -= 50) {
      const range = { type: 'before', seq } as const;
      const { entries } = await ann.history(id, range, { limit: 50, cache: 'only' });
      expect([entries[0]?.seq, entries.length]).toEqual([seq - 50, 50]);
    }
  });
  const asked = spy(ann);
  const again = search(ann, id, { page: 50 });
  again.find('creme');
  await phase(again, 'done');
  expect(seqs(again)).toEqual(seqs(first));
  expect(asked.filter(([, options]) => options?.cache !== 'only').length).toBe(1);
});

test('it pauses when enough is found, goes on when asked, and keeps no more than its bound', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await chat(ann, ben, many);
  const found = search(ann, id, { page: 20, lot: 30, most: 90 });
  found.find('text');
  await phase(found, 'paused');
  const before = found.get().hits.length;
  expect(before).toBeGreaterThanOrEqual(30);
  expect(before).toBeLessThan(50);
  found.more();
  await phase(found, 'paused');
  expect(found.get().hits.length).toBeGreaterThan(before);
  found.more();
  await phase(found, 'full');
  expect(found.get().hits.length).toBe(90);
  expect(found.get().looked).toBeLessThan(120);
  // The newest ones, each once.
  expect(new Set(seqs(found)).size).toBe(90);
  expect(seqs(found)[0]).toBe(450);
  found.more();
  expect(found.get().phase).toBe('full');
});

test('it can be stopped, goes on from there, and another query begins anew', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await chat(ann, ben, many);
  const asked = spy(ann);
  // The third page comes only after the search was stopped.
  const history = ann.history;
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  let pages = 0;
  ann.history = async (conversation, range, options) => {
    if (options?.cache !== 'only' && ++pages === 3) await held;
    return history(conversation, range, options);
  };
  const found = search(ann, id, { page: 10 });
  found.find('creme');
  await until(() => expect(pages).toBe(3));
  found.stop();
  go();
  expect(found.get()).toMatchObject({ phase: 'stopped', looked: 20 });
  const before = asked.length;
  await ann.describe(id);
  await ann.describe(id);
  // That page was still asked for, and none after it; nothing of it counts.
  expect(asked.length).toBeLessThanOrEqual(before + 1);
  expect(found.get()).toMatchObject({ phase: 'stopped', looked: 20 });
  found.more();
  await phase(found, 'done');
  expect(found.get()).toMatchObject({ looked: 450 });
  expect(seqs(found)).toEqual([364, 274, 184, 94, 4]);
  // The first is given up while it runs: nothing of it gets into the second.
  found.find('text');
  found.find('text 449');
  await phase(found, 'done');
  expect(seqs(found)).toEqual([450]);
  found.find('   ');
  expect(found.get()).toMatchObject({ phase: 'idle', hits: [], looked: 0 });
});

test('the next words do not go through the history again, and find it as it is by then', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await chat(ann, ben, many);
  const to = { type: 'conversation', conversation: id } as const;
  await until(async () => expect((await ben.history(id, { type: 'latest' })).lastSeq).toBe(450));
  const asked = spy(ben);
  const found = search(ben, id, { page: 50 });
  found.find('nothing like this');
  await phase(found, 'done');
  expect(found.get()).toMatchObject({ looked: 450, hits: [] });
  const walked = asked.length;
  expect(walked).toBeGreaterThanOrEqual(9);
  found.find('creme');
  await phase(found, 'done');
  expect(seqs(found)).toEqual([364, 274, 184, 94, 4]);
  found.find('   ');
  expect(asked.length).toBe(walked);
  // Changed while nothing is looked for.
  await act(ann, to, { type: 'delete', seq: 4, ordinal: 4 });
  await act(ann, to, { type: 'edit', seq: 5, text: 'another creme' });
  await act(ann, to, { type: 'text', text: 'the last creme' });
  await ben.hide(id, [94]);
  await until(() => expect(asked.length).toBe(walked + 1));
  await until(async () => {
    found.find('  ');
    found.find('creme');
    await phase(found, 'done');
    expect(seqs(found)).toEqual([453, 364, 274, 184, 5]);
  });
  expect(asked.length).toBe(walked + 1);
});

test('what happens meanwhile is followed: new, edited, deleted and hidden messages', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await chat(ann, ben, ['a needle', 'hay', 'needles', 'hay again']);
  const to = { type: 'conversation', conversation: id } as const;
  const found = search(ben, id);
  await until(async () => expect((await ben.history(id, { type: 'latest' })).lastSeq).toBe(4));
  found.find('NEEDLE');
  await phase(found, 'done');
  expect(seqs(found)).toEqual([3, 1]);
  await act(ann, to, { type: 'text', text: 'one more needle' });
  await until(() => expect(seqs(found)).toEqual([5, 3, 1]));
  await act(ann, to, { type: 'edit', seq: 2, text: 'hay with a needle' });
  await act(ann, to, { type: 'edit', seq: 3, text: 'nothing' });
  await until(() => expect(seqs(found)).toEqual([5, 2, 1]));
  await act(ann, to, { type: 'delete', seq: 1, ordinal: 1 });
  await until(() => expect(seqs(found)).toEqual([5, 2]));
  await ben.hide(id, [5]);
  await until(() => expect(seqs(found)).toEqual([2]));
  // What was taken out of the words is not found either.
  const plain = search(ben, id, { textOf: ({ text }) => text.replaceAll('needle', '') });
  plain.find('needle');
  await phase(plain, 'done');
  expect(seqs(plain)).toEqual([]);
});

test('a page that can not be read is said, and tried again', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await chat(ann, ben, many);
  const history = ann.history.bind(ann);
  let pages = 0;
  ann.history = (conversation, range, options) => {
    if (options?.cache !== 'only' && ++pages === 3) return Promise.reject(new Error('cut off'));
    return history(conversation, range, options);
  };
  const found = search(ann, id, { page: 50 });
  found.find('creme');
  await phase(found, 'failed');
  expect(found.get().error).toBeDefined();
  const { looked } = found.get();
  expect(looked).toBe(100);
  found.more();
  await phase(found, 'done');
  expect(found.get().looked).toBe(450);
  expect(seqs(found)).toEqual([364, 274, 184, 94, 4]);
});
