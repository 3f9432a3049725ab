/**
 * The database of one account: its layout, and how it is opened.
 *
 * `meta` has what there is one of; `outbox`, `conversations` and `users` are
 * kept by their ids; `entries` by (conversation, seq) and `related` by
 * (conversation, seq of the message, seq) have the history for offline reading;
 * `people` has what they are called.
 */

import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from 'idb';
import type { StoredAccount, StoredConversation, StoredEntry, StoredItem, User } from '../types.ts';
import type { KeptPerson } from './people.ts';

export interface Layout extends DBSchema {
  meta: { key: 'account' | 'feed' | 'lastLocalId'; value: StoredAccount | number };
  outbox: { key: number; value: StoredItem };
  conversations: { key: string; value: StoredConversation };
  users: { key: string; value: User };
  entries: { key: [string, number]; value: StoredEntry };
  related: { key: [string, number, number]; value: StoredEntry };
  people: { key: string; value: KeptPerson };
}

export type Database = IDBPDatabase<Layout>;

/** The tables a client can't do without, and those that only make it quick. */
export const NEEDED = ['meta', 'outbox', 'conversations', 'users'] as const;
export const HISTORY = ['entries', 'related'] as const;
export const TABLES = [...NEEDED, ...HISTORY, 'people'] as const;

/** The layout of this build. Each step up makes what the one before lacks. */
const VERSION = 2;

const nameOf = (account: string): string => `parley-${account}`;

/** Opens the account's database; `lost` is called when it can't be used any more. */
export function openDatabase(account: string, lost: () => void): Promise<Database> {
  return openDB<Layout>(nameOf(account), VERSION, {
    upgrade(database, from) {
      if (from < 1) {
        database.createObjectStore('meta');
        database.createObjectStore('outbox', { keyPath: 'localId' });
        database.createObjectStore('conversations', { keyPath: 'id' });
        database.createObjectStore('users', { keyPath: 'id' });
        database.createObjectStore('entries');
        database.createObjectStore('related');
      }
      if (from < 2) database.createObjectStore('people', { keyPath: 'id' });
    },
    // A newer build in another tab, or a sign-out, wants it: it goes first.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      lost();
    },
    terminated: lost,
  });
}

/** Removes the account's database; tabs that have it open let go of it. */
export function deleteDatabase(account: string): Promise<void> {
  return deleteDB(nameOf(account));
}
