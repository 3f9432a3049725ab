/** The view models over real clients on a real server. */

import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  conversationList,
  type MessageRow,
  openTimeline,
  presence,
  type TimelineView,
  typing,
} from '../../src/view/index.ts';
import { Server, type TestClient } from '../support/server.ts';

let server: Server;
const clients: TestClient[] = [];
const closing: { close(): void }[] = [];
let people = 0;

beforeAll(async () => {
  server = await Server.start();
});
afterEach(async () => {
  for (const view of closing.splice(0)) view.close();
  for (const client of clients.splice(0)) await client.close();
  await server.revive();
});
afterAll(async () => {
  await server?.stop();
});

async function person(): Promise<TestClient> {
  people += 1;
  const client = await server.client(await server.signUp(`viewer-${people}`));
  clients.push(client);
  await client.online();
  return client;
}

function closed<V extends { close(): void }>(view: V): V {
  closing.push(view);
  return view;
}

const read = (client: TestClient, conversation: string, page?: number): TimelineView =>
  closed(openTimeline(client, conversation, { page }));

const idOf = (client: TestClient): string => client.me?.id ?? '';

async function say(client: TestClient, to: string, text: string, replyTo?: number) {
  const action = { type: 'text', text, replyTo } as const;
  const { localId } = await client.submit(place(to), action);
  return client.committed(localId);
}

const place = (conversation: string) => ({ type: 'conversation', conversation }) as const;

/** Begins a 1:1 and returns its id. */
async function begin(client: TestClient, other: TestClient, text: string): Promise<string> {
  const to = { type: 'user', user: idOf(other) } as const;
  const { localId } = await client.submit(to, { type: 'text', text });
  return (await client.committed(localId)).conversation;
}

const until = <T>(what: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(what, { timeout: 50_000, interval: 20 });

const messages = (view: TimelineView): MessageRow[] =>
  view.get().rows.filter((row) => row.kind === 'message');

const texts = (view: TimelineView): string[] => messages(view).map((row) => row.message.text);

const row = (view: TimelineView, text: string): MessageRow | undefined =>
  messages(view).find((each) => each.message.text === text);

test('a message of one is a row of both, with its ticks, and keeps its key', async () => {
  const [ann, ben] = [await person(), await person()];
  // What arrived is told to those one knows.
  await ben.addContact(idOf(ann));
  const id = await begin(ann, ben, 'hello');
  const [hers, his] = [read(ann, id), read(ben, id)];
  await until(() => expect([texts(hers), texts(his)]).toEqual([['hello'], ['hello']]));
  const keys: string[] = [];
  hers.subscribe(() => {
    const found = row(hers, 'how are you?');
    if (found) keys.push(`${found.key} ${found.progress}`);
  });
  await say(ann, id, 'how are you?');
  await until(() => expect(row(hers, 'how are you?')?.progress).toBe('delivered'));
  await until(() => expect(texts(his)).toEqual(['hello', 'how are you?']));
  his.markRead(row(his, 'how are you?')?.seq ?? 0);
  await until(() => expect(row(hers, 'how are you?')?.progress).toBe('read'));
  const names = new Set(keys.map((each) => each.split(' ')[0]));
  expect(names.size).toBe(1);
  expect(keys.at(-1)).toMatch(/^c[0-9a-f]+ read$/);
  const receipts = await hers.receipts(row(hers, 'how are you?')?.seq ?? 0);
  expect(receipts[0]?.readMs).toBeGreaterThan(0);
});

test('edits, reactions, pins and deletions are seen at once by both', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await begin(ann, ben, 'first');
  const [hers, his] = [read(ann, id), read(ben, id)];
  await until(() => expect(texts(his)).toEqual(['first']));
  const act = async (client: TestClient, action: Parameters<TestClient['submit']>[1]) => {
    const { localId } = await client.submit(place(id), action);
    await client.committed(localId);
  };
  await act(ben, { type: 'react', seq: 1, emoji: '👍' });
  await act(ann, { type: 'edit', seq: 1, text: 'second' });
  await act(ann, { type: 'pin', seq: 1 });
  for (const view of [hers, his]) {
    await until(() => {
      const message = row(view, 'second')?.message;
      expect(message).toMatchObject({ pinned: true, edited: { seq: 3 } });
      expect(message?.reactions.map(({ emoji, users }) => [emoji, users.length])).toEqual([
        ['👍', 1],
      ]);
      const kinds = view.get().rows.map((each) => each.kind);
      expect(kinds.filter((kind) => kind !== 'unread')).toEqual(['day', 'message', 'system']);
    });
  }
  await say(ben, id, 'an answer', 1);
  await until(() => expect(row(hers, 'an answer')?.quote?.message?.text).toBe('second'));
  await act(ann, { type: 'delete', seq: 1, ordinal: 1 });
  for (const view of [hers, his]) {
    await until(() => {
      expect(messages(view)[0]?.message).toMatchObject({ deleted: true, text: '', reactions: [] });
      expect(row(view, 'an answer')?.quote?.message?.deleted).toBe(true);
    });
  }
  // Who opens it afterwards sees the same.
  const again = read(ben, id);
  await until(() => expect(texts(again)).toEqual(['', 'an answer']));
  expect(messages(again).map((each) => each.message)).toEqual(
    messages(his).map((each) => each.message),
  );
});

test('long history opens at the unread line, and is loaded in both directions', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await begin(ann, ben, 'n1');
  for (let i = 2; i <= 130; i += 1) await ann.submit(place(id), { type: 'text', text: `n${i}` });
  await until(async () => expect(await ann.outbox()).toEqual([]));
  await until(async () => expect((await ben.conversations())[0]?.unread).toBe(130));
  await ben.markRead(id, 40);
  await until(async () => expect((await ben.conversations())[0]?.unread).toBe(90));
  const view = read(ben, id, 20);
  await until(() => expect(view.get().phase).toBe('live'));
  const shown = view.get();
  expect(shown.openAt).toBe('unread');
  const line = shown.rows.findIndex((each) => each.kind === 'unread');
  expect(shown.rows[line]).toMatchObject({ count: 90 });
  expect(shown.rows[line + 1]).toMatchObject({ seq: 41 });
  expect([shown.atStart, shown.atEnd]).toEqual([false, false]);
  expect(shown.rows.at(-1)?.kind).toBe('gap');
  while (!view.get().atStart) await view.loadOlder();
  expect(texts(view)[0]).toBe('n1');
  await view.loadNewer();
  // From here the newest, with a gap that is filled from below.
  expect(await view.toEnd()).toBe(view.get().rows.at(-1)?.key);
  expect(texts(view).at(-1)).toBe('n130');
  const gap = () => view.get().rows.find((each) => each.kind === 'gap');
  expect(gap()).toBeDefined();
  for (let before = gap(); before; before = gap()) {
    await view.fillGap(before.key);
    expect(gap()?.key).not.toBe(before.key);
  }
  expect(texts(view)).toEqual(Array.from({ length: 130 }, (_, i) => `n${i + 1}`));
  expect(view.get().rows.filter((each) => each.kind === 'unread').length).toBe(1);
  view.resetUnreadLine();
  expect(view.get().rows.some((each) => each.kind === 'unread')).toBe(false);
});

test('a jump loads around its message and leaves a gap that can be filled', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await begin(ann, ben, 'n1');
  for (let i = 2; i <= 90; i += 1) await ann.submit(place(id), { type: 'text', text: `n${i}` });
  await until(async () => expect(await ann.outbox()).toEqual([]));
  const view = read(ann, id, 10);
  await until(() => expect(view.get().phase).toBe('live'));
  expect(view.get().openAt).toBeUndefined();
  const key = await view.jumpTo(30);
  expect(view.get().rows.find((each) => each.key === key)).toMatchObject({ seq: 30 });
  const gap = view.get().rows.find((each) => each.kind === 'gap');
  expect(gap).toBeDefined();
  await view.fillGap(gap?.key ?? '', 'above');
  const seqs = messages(view).map((each) => each.seq);
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  expect(await view.jumpTo(999)).toBeUndefined();
  const timeMs = row(view, 'n30')?.message.timeMs ?? 0;
  const there = await view.jumpToTime(timeMs);
  const found = messages(view).find((each) => each.key === there);
  expect(found?.message.timeMs).toBeGreaterThanOrEqual(timeMs);
});

test('sends wait while the server is away, failed ones can be put away', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await begin(ann, ben, 'before');
  const view = read(ann, id);
  await until(() => expect(view.get().phase).toBe('live'));
  await server.kill();
  await ann.submit(place(id), { type: 'text', text: 'meanwhile' });
  await ann.submit(place(id), { type: 'react', seq: 1, emoji: 'x' });
  await until(() => {
    expect(messages(view).map((each) => each.message.text)).toEqual(['before', 'meanwhile']);
    expect(row(view, 'meanwhile')?.progress).toMatch(/queued|sending/);
    expect(row(view, 'before')).toMatchObject({ changing: true });
    expect(row(view, 'before')?.message.reactions[0]?.emoji).toBe('x');
  });
  const { key } = row(view, 'meanwhile') ?? {};
  await server.restart();
  await until(() => {
    expect(row(view, 'meanwhile')).toMatchObject({ key, seq: 2 });
    expect(row(view, 'before')).toMatchObject({ changing: false });
  });
  expect(texts(view)).toEqual(['before', 'meanwhile']);
  // Blocked: refused for good, kept to be tried again.
  await ben.block(idOf(ann));
  await ann.submit(place(id), { type: 'text', text: 'refused' });
  await until(() => expect(row(view, 'refused')?.progress).toBe('failed'));
  expect(row(view, 'refused')?.error?.name).toBe('not_accepted');
  await ben.unblock(idOf(ann));
  await view.retryAll();
  await until(() => expect(row(view, 'refused')?.progress).toMatch(/sent|delivered/));
  await ben.block(idOf(ann));
  await ann.submit(place(id), { type: 'text', text: 'refused again' });
  await until(() => expect(row(view, 'refused again')?.progress).toBe('failed'));
  expect(await view.discard(row(view, 'refused again')?.localId ?? 0)).toBe(true);
  await until(() => expect(row(view, 'refused again')).toBeUndefined());
});

test('what was missed while away is there after the reconnect, without a hole', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await begin(ann, ben, 'n1');
  const view = read(ben, id, 20);
  await until(() => expect(view.get().phase).toBe('live'));
  await server.restart();
  for (let i = 2; i <= 60; i += 1) await ann.submit(place(id), { type: 'text', text: `n${i}` });
  const expected = Array.from({ length: 60 }, (_, i) => `n${i + 1}`);
  await until(() => {
    expect(texts(view)).toEqual(expected);
    expect(view.get().rows.some((each) => each.kind === 'gap')).toBe(false);
  });
  expect(view.get().newBelow).toBe(59);
  view.sawEnd();
  expect(view.get().newBelow).toBe(0);
});

test('the list is ordered, counts, previews and says who writes', async () => {
  const [ann, ben, cat] = [await person(), await person(), await person()];
  // Strangers don't see each other type.
  await ann.addContact(idOf(ben));
  await ben.addContact(idOf(ann));
  const list = closed(conversationList(ann));
  const tells = closed(typing(ann));
  const withBen = await begin(ben, ann, 'from ben');
  const withCat = await begin(cat, ann, 'from cat');
  const line = (id: string) => list.get().active.find((each) => each.id === id);
  await until(() => {
    expect(list.get().active.map((each) => each.id)).toEqual([withCat, withBen]);
    expect(line(withBen)).toMatchObject({ unread: 1, preview: { text: 'from ben', own: false } });
    // All of it: whose it is comes behind the message.
    expect(line(withCat)).toMatchObject({ preview: { text: 'from cat' }, peer: { id: idOf(cat) } });
    expect(list.get()).toMatchObject({ loaded: true, unread: 2 });
  });
  const catsRow = line(withCat);
  await say(ben, withBen, 'more\nfrom   ben');
  await until(() => {
    expect(list.get().active.map((each) => each.id)).toEqual([withBen, withCat]);
    expect(line(withBen)).toMatchObject({ unread: 2, preview: { text: 'more from ben' } });
  });
  expect(line(withCat)).toBe(catsRow);
  await ben.typing(withBen, true);
  await until(() => {
    expect(line(withBen)?.typing.map((user) => user.id)).toEqual([idOf(ben)]);
    expect(tells.in(withBen).get().length).toBe(1);
  });
  await ben.typing(withBen, false);
  await until(() => expect(line(withBen)?.typing).toEqual([]));
  await ann.setPreferences(withCat, { pinned: true, mutedUntilMs: Number.POSITIVE_INFINITY });
  await ann.setPreferences(withBen, { draft: 'later' });
  await until(() => {
    expect(list.get().active.map((each) => each.id)).toEqual([withCat, withBen]);
    expect(line(withCat)).toMatchObject({ pinned: true, muted: true, unread: 1 });
    expect(line(withBen)?.draft).toBe('later');
    expect(list.get().unread).toBe(2);
  });
  await ann.setPreferences(withCat, { archived: true });
  await until(() => expect(list.get().archived.map((each) => each.id)).toEqual([withCat]));
  const own = await say(ann, withBen, 'mine');
  await until(() =>
    expect(line(withBen)).toMatchObject({ unread: 0, preview: { text: 'mine', own: true } }),
  );
  const edit = await ann.submit(place(withBen), { type: 'edit', seq: own.seq, text: 'yours' });
  await ann.committed(edit.localId);
  await until(() => expect(line(withBen)?.preview?.text).toBe('yours'));
});

test('a list that comes later reads its previews', async () => {
  const [ann, ben] = [await person(), await person()];
  const id = await begin(ben, ann, 'earlier');
  const reaction = await ben.submit(place(id), { type: 'react', seq: 1, emoji: 'x' });
  await ben.committed(reaction.localId);
  await until(async () => expect((await ann.conversations())[0]?.lastSeq).toBe(2));
  const list = closed(conversationList(ann));
  await until(() => expect(list.get().active[0]?.preview?.text).toBe('earlier'));
});

test('a group tells how many read, and what happened in it', async () => {
  const [ann, ben, cat] = [await person(), await person(), await person()];
  const members = [idOf(ben), idOf(cat)];
  const made = await ann.submit(
    { type: 'newGroup' },
    { type: 'createGroup', title: 'us', members },
  );
  const { conversation: id } = await ann.committed(made.localId);
  await say(ann, id, 'to all');
  const view = read(ann, id);
  await until(() =>
    expect(view.get().rows.map((each) => each.kind)).toEqual(['day', 'system', 'message']),
  );
  expect(view.get().rows[1]).toMatchObject({ what: { type: 'created' } });
  for (const [count, reader] of [ben, cat].entries()) {
    await until(async () => expect((await reader.conversations())[0]?.lastSeq).toBe(2));
    await reader.markRead(id, 2);
    await until(() => expect(row(view, 'to all')?.readBy).toBe(count + 1));
  }
});

test('somebody is watched as long as somebody looks', async () => {
  const [ann, ben] = [await person(), await person()];
  const view = closed(presence(ann));
  const cell = view.of(idOf(ben));
  expect(cell.get()).toBeUndefined();
  const seen: (boolean | undefined)[] = [];
  const stop = cell.subscribe((state) => seen.push(state?.online));
  await until(() => expect(seen.at(-1)).toBe(true));
  await ben.setBackground(true);
  await until(() => expect(seen.at(-1)).toBe(false));
  stop();
  await ben.setBackground(false);
  await until(async () => expect((await ann.presence([idOf(ben)]))[0]?.online).toBe(true));
  expect(seen.at(-1)).toBe(false);
});
