/**
 * One connection for all tabs of an account, with the store of
 * `@parley/client/cache` behind it.
 *
 * Needs Web Locks, BroadcastChannel and IndexedDB: browsers, on secure origins.
 *
 * @module
 */

export type { Startable } from './leader.ts';
export { openShared, type SharedClient, type SharedOptions } from './shared.ts';
