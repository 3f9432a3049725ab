/**
 * The store for browsers: outbox and history in IndexedDB, one database an account.
 *
 * @module
 */

export { openStore, type StoreOptions, wipe, wipeRead } from './store.ts';
