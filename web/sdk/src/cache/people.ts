/**
 * What people are called, kept with the rest of an account's cache: a user interface
 * names them at once with it, also without a network.
 */

import { type Database, openDatabase } from './database.ts';

/** Somebody as they were called when last heard of. */
export interface KeptPerson {
  readonly id: string;
  /** The unique user name; empty of a deleted account. */
  readonly name: string;
  readonly displayName: string;
  readonly deleted: boolean;
  /** When the server last said so, by the device's clock. */
  readonly heardMs: number;
}

/** The people kept for an account. What fails is as if nothing were kept. */
export interface PeopleStore {
  /** Those heard of last. */
  load(): Promise<KeptPerson[]>;
  put(people: readonly KeptPerson[]): Promise<void>;
  close(): void;
}

/** Opens the people of an account, at most so many; the database when it is first used. */
export function openPeople(account: string, most = 2_000): PeopleStore {
  let opened: Promise<Database> | undefined;
  let isClosed = false;
  // Whoever takes the database away wipes it: it is not made anew for names.
  const open = (): Promise<Database> => {
    opened ??= openDatabase(account, () => {
      isClosed = true;
    });
    return opened;
  };
  return {
    async load() {
      if (isClosed) return [];
      try {
        const database = await open();
        const all = await database.getAll('people');
        all.sort((a, b) => b.heardMs - a.heardMs);
        const surplus = all.splice(most);
        if (surplus.length > 0) {
          const tx = database.transaction('people', 'readwrite');
          for (const { id } of surplus) void tx.store.delete(id);
          await tx.done;
        }
        return all;
      } catch {
        return [];
      }
    },
    async put(people) {
      if (isClosed || people.length === 0) return;
      try {
        const tx = (await open()).transaction('people', 'readwrite');
        for (const person of people) void tx.store.put(person);
        await tx.done;
      } catch {
        // They are asked for again.
      }
    },
    close() {
      isClosed = true;
      opened?.then((database) => database.close()).catch(() => {});
    },
  };
}
