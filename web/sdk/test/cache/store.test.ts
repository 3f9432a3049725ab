/** The store over a database in memory: what survives, what is forgotten, what a page is. */

import 'fake-indexeddb/auto';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { openDB } from 'idb';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { openStore, wipe } from '../../src/cache/index.ts';
import type {
  Range,
  Save,
  Store,
  StoredConversation,
  StoredEntry,
  StoredItem,
  StoredPage,
} from '../../src/types.ts';

const PLACE = 'c0';
let accounts = 0;
let account = '';
let store: Store;

beforeEach(() => {
  accounts += 1;
  account = `account-${accounts}`;
  store = openStore(account, { entries: 100 });
});

/** Opens it once more, as another run would. */
function reopen(): Store {
  store.close();
  store = openStore(account, { entries: 100 });
  return store;
}

function item(localId: number, text = 'hello'): StoredItem {
  const body = new TextEncoder().encode(text);
  const to = { type: 'user', user: 'u1' } as const;
  const action = { type: 'text', text } as const;
  return { localId, to, clientMessageId: `0${localId}`, action, kind: 1, body, queuedMs: 7 };
}

function conversation(id: string, held: number): StoredConversation {
  return {
    id,
    held,
    last: held,
    confirmed: 0,
    wanted: 0,
    read: 0,
    readWanted: 0,
    count: { unread: 1, mentions: 0, upTo: 0, ordinal: 0, floor: 0, version: 3, doubtful: false },
    lastTimeMs: 5,
    preferences: {
      mutedUntilMs: Number.POSITIVE_INFINITY,
      archived: false,
      pinned: false,
      markedUnread: false,
      level: 'all',
      draft: 'later',
      clearedUpTo: 0,
      accepted: true,
    },
    request: false,
    hidden: 0,
  };
}

/** An encoded `Entry` whose body is a `Text`, with a field that this build doesn't know. */
function text(seq: number, words: string, replyTo = 0): StoredEntry {
  const body = new BinaryWriter().tag(1, WireType.LengthDelimited).string(words);
  if (replyTo) body.tag(2, WireType.Varint).uint64(replyTo);
  return entry(seq, 1, body.finish());
}

function entry(seq: number, kind: number, body: Uint8Array, target?: number): StoredEntry {
  const bytes = new BinaryWriter()
    .tag(1, WireType.Varint)
    .uint64(seq)
    .tag(6, WireType.Varint)
    .uint32(kind)
    .tag(7, WireType.LengthDelimited)
    .bytes(body)
    .tag(99, WireType.LengthDelimited)
    .string('newer')
    .finish();
  return { seq, kind, target, timeMs: seq * 10, bytes };
}

const about = (seq: number, kind: number, target: number, words = 'x'): StoredEntry =>
  entry(seq, kind, new TextEncoder().encode(words), target);

const put = (...entries: StoredEntry[]): Save[] =>
  entries.map((each) => ({ type: 'entry', conversation: PLACE, entry: each }));

const texts = (from: number, to: number): Save[] =>
  put(...Array.from({ length: to - from + 1 }, (_, i) => text(from + i, `words ${from + i}`)));

const seqs = (page: StoredPage | undefined): number[] | undefined =>
  page?.entries.map((each) => each.seq);

const says = (page: StoredPage | undefined, words: string): boolean =>
  [...(page?.entries ?? []), ...(page?.related ?? [])].some((each) =>
    new TextDecoder().decode(each.bytes).includes(words),
  );

const cached = (range: Range, limit = 200): Promise<StoredPage | undefined> =>
  store.cached(PLACE, range, limit);

const latest = { type: 'latest' } as const;

describe('the store', () => {
  test('is empty at first', async () => {
    expect(await store.load()).toEqual({
      account: undefined,
      feedPosition: 0,
      lastLocalId: 0,
      outbox: [],
      conversations: [],
      users: [],
    });
    expect(await cached(latest)).toBeUndefined();
  });

  test('returns everything after it was opened again', async () => {
    const refused = {
      ...item(3),
      error: { kind: 'refused', text: 'no', name: 'forbidden', retry: 'stop' },
    } as const;
    const user = { id: 'u1', name: 'ann' };
    const owner = { user, device: 'd1', revision: 4 };
    await store.commit([
      { type: 'queued', item: item(1) },
      { type: 'queued', item: item(2) },
      { type: 'queued', item: item(3) },
      { type: 'queued', item: refused },
      { type: 'done', localId: 1 },
      { type: 'conversation', conversation: conversation(PLACE, 9) },
      { type: 'account', account: owner },
      { type: 'user', user },
      { type: 'feed', position: 77 },
    ]);
    expect(await reopen().load()).toEqual({
      account: owner,
      feedPosition: 77,
      lastLocalId: 3,
      outbox: [item(2), refused],
      conversations: [conversation(PLACE, 9)],
      users: [user],
    });
  });

  test('never gives a local id twice, also when the outbox was empty', async () => {
    await store.commit([{ type: 'queued', item: item(8) }]);
    await store.commit([{ type: 'done', localId: 8 }]);
    await store.commit([{ type: 'queued', item: item(5) }]);
    expect((await reopen().load()).lastLocalId).toBe(8);
  });

  test('keeps all of a commit or nothing', async () => {
    const bad = { ...item(2), body: (() => {}) as unknown as Uint8Array };
    const commit = store.commit([
      { type: 'queued', item: item(1) },
      { type: 'queued', item: bad },
    ]);
    await expect(commit).rejects.toMatchObject({ info: { kind: 'store' } });
    expect((await store.load()).outbox).toEqual([]);
  });

  test('keeps accounts apart', async () => {
    await store.commit([{ type: 'queued', item: item(1) }]);
    const other = openStore(`${account}-other`);
    expect((await other.load()).outbox).toEqual([]);
    other.close();
  });

  test('forgets everything at sign-out, also what another tab has open', async () => {
    await store.commit([{ type: 'queued', item: item(1) }, ...texts(1, 3)]);
    await wipe(account);
    expect((await store.load()).outbox).toEqual([]);
    expect(await cached(latest)).toBeUndefined();
  });

  test('gives way to a newer build, and says why it can not read its copy', async () => {
    await store.commit([{ type: 'queued', item: item(1) }]);
    const newer = await openDB(`parley-${account}`, 9);
    newer.close();
    await expect(store.load()).rejects.toThrow(/newer version/);
  });

  test('does nothing after it was closed', async () => {
    store.close();
    await expect(store.load()).rejects.toMatchObject({ info: { kind: 'store' } });
  });
});

describe('history', () => {
  test('comes in runs without holes', async () => {
    await store.commit(texts(1, 9));
    await store.commit(texts(12, 15));
    expect(seqs(await cached(latest, 3))).toEqual([13, 14, 15]);
    expect(seqs(await cached(latest))).toEqual([12, 13, 14, 15]);
    expect(seqs(await cached({ type: 'before', seq: 12 }))).toBeUndefined();
    expect(seqs(await cached({ type: 'before', seq: 7 }, 2))).toEqual([5, 6]);
    expect(seqs(await cached({ type: 'before', seq: 99 }, 2))).toEqual([14, 15]);
    expect(seqs(await cached({ type: 'after', seq: 7 }))).toEqual([8, 9]);
    expect(seqs(await cached({ type: 'after', seq: 9 }))).toBeUndefined();
    expect(seqs(await cached({ type: 'around', seq: 8 }, 6))).toEqual([5, 6, 7, 8, 9]);
    expect(seqs(await cached({ type: 'around', seq: 10 }))).toBeUndefined();
    expect(seqs(await cached({ type: 'aroundTime', timeMs: 75 }, 2))).toEqual([7, 8]);
    expect(seqs(await cached({ type: 'pinned' }))).toBeUndefined();
    const whole = await cached({ type: 'after', seq: 0 });
    expect([whole?.atStart, whole?.atEnd]).toEqual([true, false]);
  });

  test('comes with what was done to its messages, and what they answer', async () => {
    await store.commit(texts(1, 5));
    await store.commit(put(about(6, 4, 2), about(7, 2, 3), text(8, 'yes', 1), about(9, 4, 1)));
    const page = await cached({ type: 'after', seq: 7 });
    expect(seqs(page)).toEqual([8, 9]);
    // The answered message, and what was done to it.
    expect(page?.related.map((each) => each.seq)).toEqual([1, 9]);
    const older = await cached({ type: 'before', seq: 6 });
    expect(older?.related.map((each) => each.seq)).toEqual([6, 7, 9]);
  });

  test('keeps what lies elsewhere without a place of its own', async () => {
    await store.commit([
      ...put(text(50, 'now', 4)),
      { type: 'related', conversation: PLACE, entry: text(4, 'what') },
      { type: 'related', conversation: PLACE, entry: about(60, 4, 50) },
    ]);
    const page = await cached(latest);
    expect(seqs(page)).toEqual([50]);
    expect(page?.related.map((each) => each.seq)).toEqual([4, 60]);
    await store.commit(put(text(4, 'what')));
    expect((await cached({ type: 'after', seq: 3 }))?.related).toEqual([]);
  });

  test('loses the words of what is deleted, and of its edits', async () => {
    await store.commit(put(text(1, 'secret'), about(2, 2, 1, 'secret too'), text(3, 'open')));
    expect(says(await cached(latest), 'secret')).toBe(true);
    await store.commit(put(about(4, 3, 1)));
    const page = await cached(latest);
    expect(seqs(page)).toEqual([1, 2, 3, 4]);
    expect(says(page, 'secret')).toBe(false);
    expect(says(page, 'open')).toBe(true);
    // What this build doesn't know stays.
    expect(new TextDecoder().decode(page?.entries[0]?.bytes)).toContain('newer');
    expect([...(page?.entries[0]?.bytes.slice(-2) ?? [])]).toEqual([0x40, 1]);
  });

  test('loses the words of what is hidden, and everything that is cleared', async () => {
    await store.commit(put(text(1, 'one'), text(2, 'two'), text(3, 'three'), about(4, 4, 1)));
    await store.commit([{ type: 'hidden', conversation: PLACE, seqs: [2] }]);
    expect(says(await cached(latest), 'two')).toBe(false);
    await store.commit([{ type: 'cleared', conversation: PLACE, upTo: 2 }]);
    const page = await cached(latest);
    expect(seqs(page)).toEqual([3, 4]);
    expect(page?.related).toEqual([]);
  });

  test('loses the words of what is too old to be kept, and of its edits', async () => {
    const roster = { kind: 'direct' } as StoredConversation['roster'];
    const periods = [{ after: 1, by: 'ann', retentionS: 1 }];
    const known = { ...conversation(PLACE, 5), roster, periods };
    const said = (seq: number, words: string, sender: string) => ({ ...text(seq, words), sender });
    await store.commit([
      { type: 'conversation', conversation: known },
      ...put(said(1, 'before', 'ann'), said(2, 'secret', 'ann'), said(3, 'mine', 'me')),
      ...put(about(4, 2, 2, 'corrected'), said(5, 'fresh', 'ann')),
      { type: 'related', conversation: PLACE, entry: said(90, 'quoted', 'ann') },
      // Messages are stamped with ten times their seq.
      { type: 'expired', conversation: PLACE, nowMs: 1_030 },
    ]);
    const page = await reopen().cached(PLACE, latest, 200);
    expect(seqs(page)).toEqual([1, 2, 3, 4, 5]);
    expect(says(page, 'before') && says(page, 'mine') && says(page, 'fresh')).toBe(true);
    expect(says(page, 'secret') || says(page, 'corrected')).toBe(false);
    await store.commit([{ type: 'expired', conversation: PLACE, nowMs: 5_000 }]);
    const later = await store.cached(PLACE, latest, 200);
    expect(says(later, 'fresh') || says(later, 'secret')).toBe(false);
    expect(says(later, 'before') && says(later, 'mine')).toBe(true);
  });

  test('keeps the newest entries only', async () => {
    await store.commit(texts(1, 120));
    await store.commit(put(about(121, 4, 1)));
    await store.commit(texts(122, 200));
    expect(seqs(await cached({ type: 'after', seq: 100 }))?.[0]).toBe(101);
    expect(await cached({ type: 'after', seq: 99 })).toBeUndefined();
  });

  test('survives bytes that are no entry', async () => {
    const broken = { seq: 1, kind: 1, timeMs: 1, bytes: new Uint8Array([0xff, 0xff, 0xff]) };
    await store.commit(put(broken, about(2, 3, 1)));
    expect(seqs(await cached(latest))).toEqual([1, 2]);
  });
});

describe('without room', () => {
  /** Lets the browser refuse rows of history, as it does when the quota is used up. */
  function refuse(times: number, table: string): () => number {
    let refused = 0;
    const real = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
      this: IDBObjectStore,
      ...given
    ) {
      if (this.name !== table || refused >= times) return real.apply(this, given);
      refused += 1;
      throw new DOMException('no room', 'QuotaExceededError');
    });
    return () => refused;
  }

  test('the older history goes first', async () => {
    await store.commit([
      { type: 'conversation', conversation: conversation(PLACE, 100) },
      ...texts(1, 100),
    ]);
    const refused = refuse(1, 'entries');
    await store.commit([{ type: 'queued', item: item(1) }, ...texts(101, 101)]);
    expect(refused()).toBe(1);
    vi.restoreAllMocks();
    expect((await store.load()).outbox).toEqual([item(1)]);
    expect(await cached({ type: 'after', seq: 40 })).toBeUndefined();
    expect(seqs(await cached(latest, 2))).toEqual([100, 101]);
  });

  test('all history goes before a send is refused', async () => {
    await store.commit(texts(1, 100));
    const refused = refuse(1_000, 'entries');
    await store.commit([{ type: 'queued', item: item(1) }, ...texts(101, 101)]);
    expect(refused()).toBe(2);
    vi.restoreAllMocks();
    expect((await store.load()).outbox).toEqual([item(1)]);
    expect(await cached(latest)).toBeUndefined();
  });

  test('a send that finds no room at all is refused, not lost in silence', async () => {
    refuse(1_000, 'outbox');
    const commit = store.commit([{ type: 'queued', item: item(1) }]);
    await expect(commit).rejects.toThrow(/no room/);
    vi.restoreAllMocks();
    expect((await store.load()).outbox).toEqual([]);
  });
});

test('a reset leaves the outbox, and one of a conversation the others', async () => {
  const entry = (seq: number, damaged?: boolean): StoredEntry => ({
    seq,
    kind: 1,
    timeMs: 1,
    bytes: new Uint8Array([8, seq]),
    damaged,
  });
  const put = (conversation: string, of: StoredEntry): Save => ({
    type: 'entry',
    conversation,
    entry: of,
  });
  const seqs = async (conversation: string) =>
    (await store.cached(conversation, { type: 'latest' }, 10))?.entries.map((it) => [
      it.seq,
      it.damaged ?? false,
    ]);
  await store.load();
  await store.commit([
    { type: 'queued', item: item(1) },
    { type: 'feed', position: 7 },
    put(PLACE, entry(1)),
    put('c1', entry(1)),
    // What the server lost takes no entry away, and gives way to the real one.
    put('c1', entry(1, true)),
    put('c1', entry(2, true)),
  ]);
  expect(await seqs('c1')).toEqual([
    [1, false],
    [2, true],
  ]);
  await store.commit([put('c1', entry(2)), { type: 'reset', conversation: PLACE }]);
  expect(await seqs(PLACE)).toBeUndefined();
  expect(await seqs('c1')).toEqual([
    [1, false],
    [2, false],
  ]);
  await store.commit([{ type: 'reset' }]);
  expect(await seqs('c1')).toBeUndefined();
  const saved = await reopen().load();
  expect(saved.outbox).toEqual([item(1)]);
  expect(saved.feedPosition).toBe(0);
  expect(saved.lastLocalId).toBe(1);
});
