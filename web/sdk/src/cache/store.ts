/**
 * The store for browsers, over IndexedDB: outbox, positions, names, history.
 *
 * A commit is one transaction, all or nothing. One that queues a send waits for
 * the disk. When the browser's quota is used up, history goes, the oldest first,
 * and never the outbox. A store belongs to one account and one server.
 */

import { ParleyError, problem } from '../error.ts';
import type { Range, Save, Saved, Store, StoredPage } from '../types.ts';
import { type Database, deleteDatabase, HISTORY, openDatabase, TABLES } from './database.ts';
import {
  clear,
  erase,
  expire,
  MOST,
  putEntry,
  readPage,
  relate,
  trim,
  type Writing,
} from './history.ts';

export interface StoreOptions {
  /** Entries kept of each conversation. */
  readonly entries?: number | undefined;
}

/** Opens the store of an account; the database when it is first used. */
export function openStore(account: string, options: StoreOptions = {}): Store {
  return new IndexedStore(account, options.entries ?? 1_000);
}

/** Forgets everything of an account that has no client any more. */
export async function wipe(account: string): Promise<void> {
  const store = openStore(account);
  try {
    await store.wipe();
  } finally {
    store.close();
  }
  // What is open elsewhere is empty by now.
  await deleteDatabase(account);
}

/**
 * Forgets what was read of an account whose session another device ended: messages,
 * people, positions. What its user wrote and was not sent waits for the next sign-in.
 */
export async function wipeRead(account: string): Promise<void> {
  const database = await openDatabase(account, () => {});
  try {
    const tx = database.transaction([...TABLES], 'readwrite', { durability: 'strict' });
    for (const name of TABLES) {
      if (name !== 'outbox' && name !== 'meta') void tx.objectStore(name).clear();
    }
    void tx.objectStore('meta').delete('feed');
    await tx.done;
  } finally {
    database.close();
  }
}

/** Entries of a conversation that may come before its oldest are looked for again. */
const SLACK = 50;

class IndexedStore implements Store {
  readonly #account: string;
  readonly #most: number;
  #database: Promise<Database> | undefined;
  #closed = false;
  /** Entries put since the last trim, by conversation. */
  readonly #grown = new Map<string, number>();

  constructor(account: string, most: number) {
    this.#account = account;
    this.#most = Math.max(1, most);
  }

  async load(): Promise<Saved> {
    return this.#try(async (database) => {
      const tx = database.transaction(['meta', 'outbox', 'conversations', 'users'], 'readonly');
      const meta = tx.objectStore('meta');
      const [account, feed, lastLocalId, outbox, conversations, users] = await Promise.all([
        meta.get('account'),
        meta.get('feed'),
        meta.get('lastLocalId'),
        tx.objectStore('outbox').getAll(),
        tx.objectStore('conversations').getAll(),
        tx.objectStore('users').getAll(),
      ]);
      return {
        account: typeof account === 'object' ? account : undefined,
        feedPosition: typeof feed === 'number' ? feed : 0,
        lastLocalId: typeof lastLocalId === 'number' ? lastLocalId : 0,
        outbox,
        conversations,
        users,
      };
    });
  }

  async commit(saves: readonly Save[]): Promise<void> {
    if (saves.length === 0) return;
    await this.#try(async (database) => {
      if (await this.#write(database, saves)) return;
      // The quota is used up: room is made by the older half of the history.
      await this.#shrink(database, Math.ceil(this.#most / 2));
      if (await this.#write(database, saves)) return;
      await this.#shrink(database, 0);
      const needed = saves.filter((save) => save.type !== 'entry' && save.type !== 'related');
      if (await this.#write(database, needed)) return;
      throw new ParleyError(problem('store', 'the browser has no room for this site any more'));
    });
  }

  async cached(conversation: string, range: Range, limit: number): Promise<StoredPage | undefined> {
    return this.#try((database) => readPage(database, conversation, range, limit));
  }

  async wipe(): Promise<void> {
    await this.#try(async (database) => {
      const tx = database.transaction([...TABLES], 'readwrite', { durability: 'strict' });
      for (const name of TABLES) void tx.objectStore(name).clear();
      await tx.done;
    });
    this.#grown.clear();
  }

  close(): void {
    this.#closed = true;
    this.#database?.then((database) => database.close()).catch(() => {});
    this.#database = undefined;
  }

  /** Writes all, or nothing. False when there is no room. */
  async #write(database: Database, saves: readonly Save[]): Promise<boolean> {
    const queues = saves.some((save) => save.type === 'queued');
    const tx: Writing = database.transaction([...TABLES], 'readwrite', {
      durability: queues ? 'strict' : 'relaxed',
    });
    const grown = new Map(this.#grown);
    try {
      for (const save of saves) await this.#keep(tx, save, grown);
      for (const [id, count] of grown) {
        if (count < SLACK) continue;
        grown.delete(id);
        await trim(tx, id, this.#most);
      }
      await tx.done;
    } catch (thrown) {
      // What was begun must not be left half done.
      abort(tx);
      await tx.done.catch(() => {});
      if (isQuota(thrown) || isQuota(tx.error)) return false;
      throw thrown;
    }
    this.#grown.clear();
    for (const [id, count] of grown) this.#grown.set(id, count);
    return true;
  }

  async #keep(tx: Writing, save: Save, grown: Map<string, number>): Promise<void> {
    switch (save.type) {
      case 'queued':
        await tx.objectStore('outbox').put(save.item);
        await this.#keepLocalId(tx, save.item.localId);
        return;
      case 'done':
        await tx.objectStore('outbox').delete(save.localId);
        return;
      case 'reset':
        await this.#drop(tx, save.conversation);
        return;
      case 'conversation':
        await tx.objectStore('conversations').put(save.conversation);
        return;
      case 'feed':
        await tx.objectStore('meta').put(save.position, 'feed');
        return;
      case 'account':
        await tx.objectStore('meta').put(save.account, 'account');
        return;
      case 'user':
        await tx.objectStore('users').put(save.user);
        return;
      case 'entry':
        await putEntry(tx, save.conversation, save.entry);
        grown.set(save.conversation, (grown.get(save.conversation) ?? 0) + 1);
        return;
      case 'related':
        await relate(tx, save.conversation, save.entry);
        return;
      case 'hidden':
        for (const seq of save.seqs) await erase(tx, save.conversation, seq);
        return;
      case 'cleared':
        await clear(tx, save.conversation, save.upTo);
        return;
      case 'expired':
        await expire(tx, save.conversation, save.nowMs);
        return;
    }
  }

  /** What came from the server goes. */
  async #drop(tx: Writing, conversation: string | undefined): Promise<void> {
    if (conversation !== undefined) {
      await tx.objectStore('conversations').delete(conversation);
      await clear(tx, conversation, MOST);
      return;
    }
    for (const key of ['account', 'feed'] as const) await tx.objectStore('meta').delete(key);
    for (const name of ['conversations', 'users', 'people', ...HISTORY] as const) {
      await tx.objectStore(name).clear();
    }
  }

  /** Local ids are never used twice, also when the outbox was empty in between. */
  async #keepLocalId(tx: Writing, localId: number): Promise<void> {
    const meta = tx.objectStore('meta');
    const last = await meta.get('lastLocalId');
    if (typeof last !== 'number' || last < localId) await meta.put(localId, 'lastLocalId');
  }

  /** Keeps only the newest `most` entries of each conversation. */
  async #shrink(database: Database, most: number): Promise<void> {
    const tx: Writing = database.transaction([...TABLES], 'readwrite');
    if (most === 0) {
      for (const name of HISTORY) void tx.objectStore(name).clear();
    } else {
      for (const id of await tx.objectStore('conversations').getAllKeys()) await trim(tx, id, most);
    }
    await tx.done;
  }

  /** Works with the database, and once more with a new connection if this one was lost. */
  async #try<T>(work: (database: Database) => Promise<T>): Promise<T> {
    for (let again = true; ; again = false) {
      if (this.#closed) throw new ParleyError(problem('store', 'the store is closed'));
      const opened = this.#open();
      try {
        return await work(await opened);
      } catch (thrown) {
        if (thrown instanceof ParleyError) throw thrown;
        const name = thrown instanceof Error || thrown instanceof DOMException ? thrown.name : '';
        if (again && name === 'InvalidStateError') {
          this.#lose(opened);
          continue;
        }
        throw new ParleyError(problem('store', reason(name)));
      }
    }
  }

  #open(): Promise<Database> {
    if (this.#database) return this.#database;
    const opened: Promise<Database> = openDatabase(this.#account, () => this.#lose(opened));
    this.#database = opened;
    // One that failed is tried again by the next who asks.
    opened.catch(() => this.#lose(opened));
    return opened;
  }

  #lose(opened: Promise<Database>): void {
    if (this.#database === opened) this.#database = undefined;
  }
}

const isQuota = (thrown: unknown): boolean =>
  (thrown as { name?: unknown } | null | undefined)?.name === 'QuotaExceededError';

function abort(tx: Writing): void {
  try {
    tx.abort();
  } catch {
    // It was over already.
  }
}

function reason(name: string): string {
  if (name === 'VersionError') return "the browser's copy was made by a newer version of this app";
  return `the browser's database failed${name ? ` (${name})` : ''}`;
}
