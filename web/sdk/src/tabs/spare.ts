/**
 * A store that gives way: when the browser's database can't be opened (private
 * windows, a copy made by a newer build), the client lives in memory instead of
 * not at all. What is in the database stays as it is.
 */

import type { Range, Save, Saved, Store, StoredPage } from '../types.ts';

const NOTHING: Saved = {
  feedPosition: 0,
  conversations: [],
  outbox: [],
  lastLocalId: 0,
  users: [],
};

export class SpareStore implements Store {
  #store: Store | undefined;
  readonly #failed: (error: unknown) => void;

  /** Without a store it keeps nothing from the beginning. */
  constructor(store?: Store, failed: (error: unknown) => void = () => {}) {
    this.#store = store;
    this.#failed = failed;
  }

  async load(): Promise<Saved> {
    try {
      return (await this.#store?.load()) ?? NOTHING;
    } catch (thrown) {
      this.#store = undefined;
      this.#failed(thrown);
      return NOTHING;
    }
  }

  async commit(saves: readonly Save[]): Promise<void> {
    await this.#store?.commit(saves);
  }

  async cached(conversation: string, range: Range, limit: number): Promise<StoredPage | undefined> {
    return this.#store?.cached(conversation, range, limit);
  }

  async wipe(): Promise<void> {
    await this.#store?.wipe();
  }

  close(): void {
    this.#store?.close();
  }
}
