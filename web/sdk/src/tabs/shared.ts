/**
 * One account in several tabs: one of them leads and has the connection, the
 * others ask it. When it goes, another one takes over with what the store holds.
 *
 * Calls without an answer are made again with the next leader. A send has its
 * name on the wire before it is asked for, so it is sent once however often it
 * is asked. A tab that has been hidden for long (browsers slow its timers down)
 * hands the connection to one that the user looks at.
 */

import { openStore } from '../cache/index.ts';
import { closed, ParleyError, problem } from '../error.ts';
import type {
  Action,
  ClientApi,
  ErrorInfo,
  Event,
  Listener,
  OutboxItem,
  Sent,
  State,
  Store,
  SubmitOptions,
  Submitted,
  To,
  User,
} from '../types.ts';
import { Leader, type Startable } from './leader.ts';
import { channelName, leaderLock, type Method, methods, type Note, tabLock } from './notes.ts';
import { SpareStore } from './spare.ts';

export interface SharedOptions {
  /** Whose it is; names the database and what tabs share. */
  readonly account: string;
  /** Makes the client of the tab that leads, not started, and with `followVisibility: false`. */
  readonly make: (store: Store) => Startable;
  /** Hears why nothing can be kept, in the tab that leads. */
  readonly onStoreError?: ((error: unknown) => void) | undefined;
  /** A hidden tab hands over to a visible one after so long; 60,000. */
  readonly yieldAfterMs?: number | undefined;
}

export interface SharedClient extends ClientApi {
  /** Whether this tab has the connection. */
  readonly leads: boolean;
}

/**
 * Opens the account's client in this tab. Where tabs can't share (pages that are
 * not secure), it is a client of this tab alone, in memory.
 */
export function openShared(options: SharedOptions): SharedClient {
  if (typeof BroadcastChannel === 'undefined' || !globalThis.navigator?.locks) {
    const client = options.make(new SpareStore());
    client.start().catch(() => {});
    return Object.assign(client, { leads: true });
  }
  const tab = new Tab(options);
  tab.open();
  const call = (method: Method) => [method, (...args: unknown[]) => tab.call(method, args)];
  const forwarded = Object.fromEntries(methods.map(call)) as unknown as Pick<ClientApi, Method>;
  return {
    ...forwarded,
    get state() {
      return tab.state;
    },
    get me() {
      return tab.me;
    },
    get leads() {
      return tab.leads;
    },
    on: (listener) => tab.on(listener),
    submit: (to, action, given) => tab.submit(to, action, given),
    committed: (localId) => tab.committed(localId),
    drain: (patienceMs) => tab.drain(patienceMs),
    close: () => tab.close(),
  };
}

/** Calls without an answer, at most. */
const CALLS = 1_024;
/** Sends that are remembered until they are committed, at most. */
const SENDS = 1_024;
/** How often a visible tab says so, while another one leads. */
const REMIND_MS = 20_000;
/** How long a tab that hands over waits for the other one. */
const STEAL_MS = 5_000;

interface Pending {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: ParleyError) => void;
}

class Tab {
  readonly id = crypto.randomUUID();
  readonly #options: SharedOptions;
  readonly #channel: BroadcastChannel;
  readonly #locks: LockManager;
  readonly #listeners = new Set<Listener>();
  readonly #pending = new Map<number, Pending>();
  /** What is in the outbox, as far as heard of; and what was asked to send. */
  readonly #outbox = new Map<number, OutboxItem>();
  readonly #sends = new Map<number, { to: To; action: Action; clientMessageId: string }>();
  readonly #watched = new Set<string>();
  readonly #stop = new AbortController();
  #queueing = new AbortController();
  #leader: Leader | undefined;
  /** Ends this tab's time as leader. */
  #release: () => void = () => {};
  #term: string | undefined;
  #calls = 0;
  #hiddenSince: number | undefined;
  state: State = { type: 'idle' };
  me: User | undefined;

  constructor(options: SharedOptions) {
    this.#options = options;
    this.#locks = navigator.locks;
    this.#channel = new BroadcastChannel(channelName(options.account));
  }

  get leads(): boolean {
    return this.#leader !== undefined;
  }

  open(): void {
    const { signal } = this.#stop;
    this.#channel.onmessage = (message: MessageEvent<Note>) => this.#handle(message.data);
    document.addEventListener('visibilitychange', () => this.#look(), { signal });
    const reminder = setInterval(() => {
      if (this.#foreground && !this.#leader) this.#hello();
    }, REMIND_MS);
    signal.addEventListener('abort', () => clearInterval(reminder));
    this.#look();
    // Held from before the first word: a leader that hears of this tab waits for it.
    this.#locks
      .request(tabLock(this.#options.account, this.id), { signal }, () => {
        this.#hello();
        this.#queue();
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      })
      .catch(() => {});
  }

  on(listener: Listener): () => void {
    // The same function may be given twice.
    const own: Listener = (event) => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Asks whoever leads, as often as leaders change. */
  call(method: Method, args: readonly unknown[]): Promise<unknown> {
    if (this.#stop.signal.aborted) return Promise.reject(new ParleyError(closed()));
    if (this.#pending.size >= CALLS) {
      return Promise.reject(new ParleyError(problem('full', 'too many calls wait')));
    }
    this.#note(method, args);
    return new Promise((resolve, reject) => {
      this.#calls += 1;
      this.#pending.set(this.#calls, { method, args, resolve, reject });
      this.#dispatch(this.#calls);
    });
  }

  async submit(to: To, action: Action, options: SubmitOptions = {}): Promise<Submitted> {
    const clientMessageId = options.clientMessageId ?? newMessageId();
    const given = await this.call('submit', [to, action, { ...options, clientMessageId }]);
    const submitted = given as Submitted;
    this.#sends.set(submitted.localId, { to, action, clientMessageId });
    for (const oldest of this.#sends.keys()) {
      if (this.#sends.size <= SENDS) break;
      this.#sends.delete(oldest);
    }
    return submitted;
  }

  async committed(localId: number): Promise<Sent> {
    const term = this.#term;
    try {
      return (await this.call('committed', [localId])) as Sent;
    } catch (thrown) {
      const send = this.#sends.get(localId);
      const { kind } = ParleyError.from(thrown);
      if (!send || term === this.#term || kind !== 'invalidArgument') throw thrown;
      // The leader that sent it is gone; sent again, it gets the same answer.
      const again = await this.submit(send.to, send.action, send);
      return this.committed(again.localId);
    }
  }

  /** Others may need the connection: only a tab that is alone waits for its end. */
  async drain(patienceMs: number): Promise<number> {
    const left = this.#leader ? await this.#leader.client.drain(patienceMs) : 0;
    await this.close();
    return left;
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const leader = this.#leader;
    this.#queueing.abort();
    await leader?.close().catch(() => {});
    if (this.#stop.signal.aborted) return;
    this.#leader = undefined;
    this.#end();
  }

  get #foreground(): boolean {
    return this.#hiddenSince === undefined;
  }

  #look(): void {
    const visible = document.visibilityState !== 'hidden';
    this.#hiddenSince = visible ? undefined : (this.#hiddenSince ?? performance.now());
    if (this.#leader) this.#leader.handleTab(this.id, visible, true);
    else if (this.#term) this.#hello();
  }

  #hello(): void {
    this.#say({ type: 'hello', from: this.id, foreground: this.#foreground });
  }

  /** Stands in line for the connection. */
  #queue(steal = false): void {
    this.#queueing.abort();
    this.#queueing = new AbortController();
    const { signal } = this.#queueing;
    const name = leaderLock(this.#options.account);
    this.#locks
      .request(name, steal ? { steal } : { signal }, () => this.#lead())
      .catch(() => this.#handleStolen(signal));
  }

  /** Leads until {@link #release}. */
  #lead(): Promise<void> | undefined {
    if (this.#stop.signal.aborted) return undefined;
    const failed = this.#options.onStoreError ?? (() => {});
    const store = new SpareStore(openStore(this.#options.account), failed);
    const leader = new Leader({
      account: this.#options.account,
      client: this.#options.make(store),
      locks: this.#locks,
      say: (note) => this.#say(note),
      emit: (event) => this.#handleEvent(event, leader.client.me),
      over: () => {
        this.#say({ type: 'over' });
        void this.close();
      },
    });
    this.#leader = leader;
    leader.handleTab(this.id, this.#foreground, true);
    leader.start();
    this.#handleLeader(leader.term, leader.client.state, leader.client.me);
    return new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** Another tab took the connection, or this one no longer stands in line. */
  #handleStolen(signal: AbortSignal): void {
    if (signal !== this.#queueing.signal || this.#stop.signal.aborted) return;
    const leader = this.#leader;
    this.#leader = undefined;
    void leader?.close().catch(() => {});
    if (!signal.aborted) this.#queue();
  }

  /** Hands the connection to a tab that the user looks at. */
  async #yield(to: string): Promise<void> {
    const leader = this.#leader;
    if (!leader || leader.leaving) return;
    await leader.close().catch(() => {});
    this.#say({ type: 'yield', to });
    // It takes the lock away; if it is gone by now, the next in line gets it.
    setTimeout(() => {
      if (this.#leader !== leader) return;
      this.#leader = undefined;
      this.#release();
      this.#queue();
    }, STEAL_MS);
  }

  #handle(note: Note): void {
    switch (note.type) {
      case 'hello':
        this.#handleHello(note.from, note.foreground);
        return;
      case 'leader':
        if (note.to !== undefined && note.to !== this.id) return;
        if (note.term !== this.#term) this.#handleLeader(note.term, note.state, note.me);
        return;
      case 'event':
        if (note.term === this.#term) this.#handleEvent(note.event, note.me);
        return;
      case 'call':
        if (note.term === this.#leader?.term) void this.#leader.handleCall(note);
        return;
      case 'reply':
        if (note.to === this.id) this.#settle(note.id, (it) => it.resolve(note.value));
        return;
      case 'refusal':
        if (note.to === this.id) this.#refuse(note.id, note.error);
        return;
      case 'yield':
        if (note.to === this.id) this.#queue(true);
        return;
      case 'over':
        void this.close();
        return;
    }
  }

  #handleHello(from: string, foreground: boolean): void {
    const leader = this.#leader;
    if (!leader || leader.leaving) return;
    leader.handleTab(from, foreground, false);
    leader.announce(from);
    if (!foreground || this.#hiddenSince === undefined) return;
    const hiddenMs = performance.now() - this.#hiddenSince;
    if (hiddenMs >= (this.#options.yieldAfterMs ?? 60_000)) void this.#yield(from);
  }

  /** Somebody leads: what had no answer is asked again. */
  #handleLeader(term: string, state: State, me: User | undefined): void {
    const isFirst = this.#term === undefined;
    this.#term = term;
    this.#handleEvent({ type: 'state', state }, me);
    if (!this.#leader) this.#hello();
    for (const id of [...this.#pending.keys()]) this.#dispatch(id);
    if (this.#watched.size > 0) {
      this.call('subscribePresence', [[...this.#watched]]).catch(() => {});
    }
    if (!isFirst) void this.#compare();
  }

  /** What left the outbox between two leaders is not there any more. */
  async #compare(): Promise<void> {
    const before = [...this.#outbox.values()];
    const now = (await this.call('outbox', []).catch(() => undefined)) as OutboxItem[] | undefined;
    if (!now) return;
    const there = new Set(now.map((item) => item.localId));
    for (const { localId, clientMessageId } of before) {
      if (there.has(localId)) continue;
      this.#handleEvent({ type: 'outboxDone', localId, clientMessageId }, this.me);
    }
    for (const item of now) this.#handleEvent({ type: 'outbox', item }, this.me);
  }

  #handleEvent(event: Event, me: User | undefined): void {
    this.me = me ?? this.me;
    if (event.type === 'state') this.#handleState(event.state);
    else if (event.type === 'outbox') this.#outbox.set(event.item.localId, event.item);
    else if (event.type === 'outboxDone') this.#outbox.delete(event.localId);
    this.#emit(event);
  }

  /** A client that is over (the session was revoked) is over for all tabs; whoever opens next begins anew. */
  #handleState(state: State): void {
    this.state = state;
    if (state.type === 'closed') queueMicrotask(() => void this.close());
  }

  #emit(event: Event): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // A listener's fault must not silence the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Remembers what has to be said to the next leader too. */
  #note(method: Method, args: readonly unknown[]): void {
    const users = (args[0] ?? []) as readonly string[];
    if (method === 'subscribePresence') for (const user of users) this.#watched.add(user);
    if (method === 'unsubscribePresence') for (const user of users) this.#watched.delete(user);
  }

  #dispatch(id: number): void {
    const it = this.#pending.get(id);
    if (!it) return;
    const { method, args } = it;
    const leader = this.#leader;
    if (!leader) {
      if (!this.#term) return;
      try {
        this.#say({ type: 'call', term: this.#term, from: this.id, id, method, args });
      } catch {
        this.#refuse(id, problem('invalidArgument', 'this can not be given to another tab'));
      }
      return;
    }
    leader.run(this.id, method, args).then(
      (value) => this.#settle(id, (pending) => pending.resolve(value)),
      (thrown) => {
        // One that is handing over doesn't answer; the next one does.
        if (!leader.leaving || this.#stop.signal.aborted) {
          this.#refuse(id, ParleyError.from(thrown).info);
        }
      },
    );
  }

  #refuse(id: number, error: ErrorInfo): void {
    this.#settle(id, (it) => it.reject(new ParleyError(error)));
  }

  #settle(id: number, how: (it: Pending) => void): void {
    const it = this.#pending.get(id);
    if (it && this.#pending.delete(id)) how(it);
  }

  #say(note: Note): void {
    if (!this.#stop.signal.aborted) this.#channel.postMessage(note);
  }

  #end(): void {
    this.#stop.abort();
    this.#release();
    this.#channel.close();
    for (const id of [...this.#pending.keys()]) this.#refuse(id, closed());
    if (this.state.type !== 'closed') {
      this.state = { type: 'closed' };
      this.#emit({ type: 'state', state: this.state });
    }
    this.#listeners.clear();
  }
}

function newMessageId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
