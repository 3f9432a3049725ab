// Parts of the app that are loaded when they are first needed. The service worker keeps all of them, so offline they
// are there too once it is installed.

import { t } from '../i18n';
import { notify } from './ui/notices.svelte';

/** A part that is loaded on demand, once for the whole page. */
export class Part<T> {
  /** The part itself, once it is there. */
  value = $state.raw<T>();
  failed = $state(false);
  readonly #import: () => Promise<T>;
  #loading = false;

  constructor(load: () => Promise<T>) {
    this.#import = load;
  }

  /** Begins to load it, unless it is there or on its way. */
  load(): void {
    if (this.value === undefined) void this.#load();
  }

  /** Loads what is asked for by a key or a menu and has no place of its own where it could say that it failed. */
  async need(): Promise<void> {
    if (this.value === undefined) await this.#load();
    if (!this.failed) return;
    const action = { label: t('retry'), run: () => void this.retry() };
    notify(t('part.failed'), { kind: 'error', action });
  }

  /** Tries again after a failure, at the person's word. */
  async retry(): Promise<void> {
    await this.#load();
    // Some browsers remember that a script could not be loaded, and a newer build may have other
    // names: only a new page gets further.
    if (this.failed && navigator.onLine) location.reload();
  }

  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    this.failed = false;
    try {
      this.value = await this.#import();
    } catch {
      this.failed = true;
    } finally {
      this.#loading = false;
    }
  }
}
