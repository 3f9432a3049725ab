/**
 * The store for browsers: outbox, history and names in IndexedDB, one database an account.
 *
 * @module
 */

export { type KeptPerson, openPeople, type PeopleStore } from './people.ts';
export { openStore, type StoreOptions, wipe, wipeRead } from './store.ts';
