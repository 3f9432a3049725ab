/**
 * The tab that has the connection: runs the one client, does what the others
 * ask, and tells all what happens.
 *
 * What tabs ask for themselves is kept by tab: who is watched, who is in front of
 * the user. It ends with the tab.
 */

import { ParleyError, problem } from '../error.ts';
import type { ClientApi, Event, Presence } from '../types.ts';
import { isMethod, type Method, type Note, tabLock } from './notes.ts';

/** A client that was made and not started. */
export interface Startable extends ClientApi {
  start(): Promise<void>;
}

export interface LeaderOptions {
  readonly account: string;
  readonly client: Startable;
  readonly locks: LockManager;
  readonly say: (note: Note) => void;
  /** Tells this tab's own listeners. */
  readonly emit: (event: Event) => void;
  /** The user signed out. */
  readonly over: () => void;
}

export class Leader {
  readonly term = crypto.randomUUID();
  readonly client: Startable;
  readonly #options: LeaderOptions;
  readonly #stop = new AbortController();
  /** Whether each tab is in front of the user. */
  readonly #foreground = new Map<string, boolean>();
  /** Which tabs watch somebody. */
  readonly #watchers = new Map<string, Set<string>>();
  #background: boolean | undefined;
  /** It is on its way out: calls go to the next one. */
  leaving = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.client = options.client;
  }

  start(): void {
    const { client } = this;
    client.on((event) => {
      if (this.leaving) return;
      this.#options.say({ type: 'event', term: this.term, event, me: client.me });
      this.#options.emit(event);
    });
    this.announce();
    // What it can't start with, calls and its state say.
    client.start().catch(() => {});
  }

  /** Says who leads, to one tab or to all. */
  announce(to?: string): void {
    const { state, me } = this.client;
    const note = { type: 'leader', term: this.term, state, me } as const;
    this.#options.say(to === undefined ? note : { ...note, to });
  }

  /** A tab is there, in front of the user or not. Another one is followed until it is gone. */
  handleTab(tab: string, foreground: boolean, own: boolean): void {
    const isNew = !this.#foreground.has(tab);
    this.#foreground.set(tab, foreground);
    this.#merge();
    if (!isNew || own) return;
    const { account, locks } = this.#options;
    const gone = (): void => this.#forget(tab);
    locks
      .request(tabLock(account, tab), { mode: 'shared', signal: this.#stop.signal }, gone)
      .catch(() => {});
  }

  /** Another tab's request. */
  async handleCall(note: Extract<Note, { type: 'call' }>): Promise<void> {
    const { from, id } = note;
    try {
      const value = await this.run(from, note.method, note.args);
      this.#options.say({ type: 'reply', to: from, id, value });
    } catch (thrown) {
      // Whoever leads next is asked again.
      if (this.leaving) return;
      this.#options.say({ type: 'refusal', to: from, id, error: ParleyError.from(thrown).info });
    }
  }

  /** Does what a tab asks. */
  async run(tab: string, method: string, args: readonly unknown[]): Promise<unknown> {
    if (!isMethod(method)) {
      throw new ParleyError(problem('invalidArgument', 'another tab runs an older version'));
    }
    switch (method) {
      case 'subscribePresence':
        return this.#watch(tab, args[0] as readonly string[]);
      case 'unsubscribePresence':
        return this.#unwatch(tab, args[0] as readonly string[]);
      case 'setBackground':
        this.#foreground.set(tab, args[0] !== true);
        this.#merge();
        return undefined;
      case 'forget':
        this.leaving = true;
        await this.client.forget();
        // Whoever asked hears of it first.
        setTimeout(this.#options.over);
        return undefined;
      default:
        return this.#call(method, args);
    }
  }

  /** Ends the client; what is in the store is sent by the next leader. */
  async close(): Promise<void> {
    this.leaving = true;
    this.#stop.abort();
    await this.client.close();
  }

  #call(method: Method, args: readonly unknown[]): Promise<unknown> {
    const { client } = this;
    const call = client[method] as (...args: unknown[]) => Promise<unknown>;
    return call.apply(client, [...args]);
  }

  /** The user is here if any tab is in front of them. */
  #merge(): void {
    const background = ![...this.#foreground.values()].some(Boolean);
    if (background === this.#background) return;
    this.#background = background;
    this.client.setBackground(background).catch(() => {});
  }

  async #watch(tab: string, users: readonly string[]): Promise<Presence[]> {
    for (const user of users) {
      const tabs = this.#watchers.get(user) ?? new Set<string>();
      this.#watchers.set(user, tabs.add(tab));
    }
    return this.client.subscribePresence(users);
  }

  async #unwatch(tab: string, users: readonly string[]): Promise<void> {
    const unwatched = users.filter((user) => {
      const tabs = this.#watchers.get(user);
      if (!tabs?.delete(tab) || tabs.size > 0) return false;
      return this.#watchers.delete(user);
    });
    if (unwatched.length > 0) await this.client.unsubscribePresence(unwatched);
  }

  #forget(tab: string): void {
    this.#foreground.delete(tab);
    this.#merge();
    this.#unwatch(tab, [...this.#watchers.keys()]).catch(() => {});
  }
}
