/** The client: everything a user can do, over one connection that renews itself. */

import type { Action, NewMessage, Target, To } from './actions.ts';
import { Driver } from './driver/driver.ts';
import type { Asker } from './errands.ts';
import { closed, fromName, ParleyError, problem } from './error.ts';
import { fromHex } from './ids.ts';
import { Machine } from './machine/machine.ts';
import type { Conversation, HistoryPage, Range, User } from './model.ts';
import type { ClientOptions } from './options.ts';
import type { Saved } from './store.ts';
import type {
  ClientApi,
  HistoryOptions,
  Listener,
  OutboxItem,
  Sent,
  State,
  SubmitOptions,
  Submitted,
} from './types.ts';
import { VERSION } from './version.ts';

/** As the server's limit, plus room for its header. */
const MIB = 1 << 20;

type Errand = (asker: Asker, ...args: never[]) => Promise<never>;

/** Methods whose code is loaded with the first of them that is called. */
const ERRANDS = [
  'retry',
  'discard',
  'typing',
  'describe',
  'findUser',
  'receipts',
  'setPreferences',
  'hide',
  'hidden',
  'banned',
  'createInvite',
  'revokeInvite',
  'invites',
  'peekInvite',
  'users',
  'profile',
  'presence',
  'subscribePresence',
  'unsubscribePresence',
  'report',
  'account',
  'changeProfile',
  'changeSettings',
  'addContact',
  'removeContact',
  'block',
  'unblock',
] as const;

/** A send, to be followed. */
export class SendHandle implements Submitted {
  readonly localId: number;
  readonly clientMessageId: string;

  constructor(
    private readonly client: ClientApi,
    submitted: Submitted,
  ) {
    this.localId = submitted.localId;
    this.clientMessageId = submitted.clientMessageId;
  }

  /** Resolves when it is committed, however long that takes. */
  sent(): Promise<Sent> {
    return this.client.committed(this.localId);
  }

  /** Takes it back if it has not left. */
  abort(): Promise<boolean> {
    return this.client.abort(this.localId);
  }
}

/**
 * A client of one account. Nothing happens before {@link Client.start}; what is
 * called before it waits for it.
 */
export class Client implements ClientApi {
  declare retry: ClientApi['retry'];
  declare discard: ClientApi['discard'];
  declare typing: ClientApi['typing'];
  declare describe: ClientApi['describe'];
  declare findUser: ClientApi['findUser'];
  declare receipts: ClientApi['receipts'];
  declare setPreferences: ClientApi['setPreferences'];
  declare hide: ClientApi['hide'];
  declare hidden: ClientApi['hidden'];
  declare banned: ClientApi['banned'];
  declare createInvite: ClientApi['createInvite'];
  declare revokeInvite: ClientApi['revokeInvite'];
  declare invites: ClientApi['invites'];
  declare peekInvite: ClientApi['peekInvite'];
  declare users: ClientApi['users'];
  declare profile: ClientApi['profile'];
  declare presence: ClientApi['presence'];
  declare subscribePresence: ClientApi['subscribePresence'];
  declare unsubscribePresence: ClientApi['unsubscribePresence'];
  declare report: ClientApi['report'];
  declare account: ClientApi['account'];
  declare changeProfile: ClientApi['changeProfile'];
  declare changeSettings: ClientApi['changeSettings'];
  declare addContact: ClientApi['addContact'];
  declare removeContact: ClientApi['removeContact'];
  declare block: ClientApi['block'];
  declare unblock: ClientApi['unblock'];

  #driver: Driver | undefined;
  readonly #early = new Set<Listener>();
  #starting: Promise<Driver> | undefined;
  #begin: ((driver: Promise<Driver>) => void) | undefined;
  readonly #begun: Promise<Driver>;
  #ended: State | undefined;

  static {
    for (const name of ERRANDS) {
      Client.prototype[name] = async function (this: Client, ...args: never[]): Promise<never> {
        const driver = await this.#ready();
        const errands = await import('./errands.ts');
        return (errands[name] as Errand)(driver, ...args);
      };
    }
  }

  constructor(private readonly options: ClientOptions) {
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    // Every call rejects with it; there may be none.
    this.#begun.catch(() => {});
  }

  get state(): State {
    return this.#ended ?? this.#driver?.machine.state ?? { type: 'idle' };
  }

  get me(): User | undefined {
    return this.#driver?.machine.user;
  }

  /** Loads the store, and begins to connect. Rejects when the store can't be read. */
  async start(): Promise<void> {
    if (!this.#starting) {
      this.#starting = this.#open();
      this.#begin?.(this.#starting);
    }
    await this.#starting;
  }

  async #open(): Promise<Driver> {
    const { options } = this;
    const { auth, store } = options;
    // There before the network goes.
    const loading = import('./machine/reset.ts');
    loading.catch(() => {});
    import('./compose.ts').catch(() => {});
    let saved: Saved | undefined;
    try {
      saved = await store?.load();
    } catch (thrown) {
      const name = thrown instanceof Error ? thrown.name : 'failed';
      throw new ParleyError(problem('store', `the store can't be read: ${name}`));
    }
    const resets = await loading;
    if (this.#ended) throw new ParleyError(closed());
    const config = {
      backoff: options.backoff ?? { baseMs: 500, maxMs: 20_000 },
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      catchUp: options.catchUp ?? 'undelivered',
      canSignIn: 'getToken' in auth,
      hasToken: !('getToken' in auth),
      clientName: options.clientName ?? '@parley/client',
      clientVersion: options.clientVersion ?? VERSION,
      keeps: store !== undefined,
    } as const;
    const machine = new Machine(config, saved, resets);
    const driver = new Driver(options, machine);
    if ('token' in auth) machine.handleToken(driver.tick(), tokenOf(auth.token));
    for (const listener of this.#early) driver.listeners.add(listener);
    this.#early.clear();
    this.#driver = driver;
    driver.input((tick) => machine.start(tick));
    return driver;
  }

  #ready(): Promise<Driver> {
    if (this.#ended) return Promise.reject(new ParleyError(closed()));
    return this.#driver ? Promise.resolve(this.#driver) : this.#begun;
  }

  on(listener: Listener): () => void {
    const { listeners } = this.#driver ?? { listeners: this.#early };
    // The same function may be given twice.
    const own: Listener = (event) => listener(event);
    listeners.add(own);
    return () => {
      this.#early.delete(own);
      this.#driver?.listeners.delete(own);
    };
  }

  /**
   * Sends a message. It goes to a user, by name, or into the conversation of what
   * is given: {@link Target}. A string as message is its text.
   */
  async send(to: Target, message: NewMessage | string): Promise<SendHandle> {
    const content = typeof message === 'string' ? { text: message } : message;
    return new SendHandle(this, await this.submit(toOf(to), { type: 'text', ...content }));
  }

  async submit(to: To, action: Action, options: SubmitOptions = {}): Promise<Submitted> {
    // One after the other, in the order of the calls.
    const { compose, messageId } = await import('./compose.ts');
    const composed = compose(to, action);
    const clientMessageId = messageId(options.clientMessageId);
    const driver = await this.#ready();
    const { machine } = driver;
    const { items, bytes } = this.options.outboxLimit ?? { items: 10_000, bytes: 64 * MIB };
    const waiting = machine.unsent();
    const there = waiting.find((item) => item.clientMessageId === clientMessageId);
    if (there) return { localId: there.localId, clientMessageId };
    if (!machine.isOpen) throw new ParleyError(closed());
    const size = waiting.reduce((sum, item) => sum + item.body.length, composed.body.length);
    if (waiting.length >= items || size > bytes) {
      throw new ParleyError(problem('full', 'full'));
    }
    const { localId } = await driver.queue((tick) =>
      machine.queue(tick, to, clientMessageId, composed),
    );
    return { localId, clientMessageId };
  }

  async committed(localId: number): Promise<Sent> {
    // Also of a client that is over: what was committed stays so.
    return (this.#driver ?? (await this.#ready())).committed(localId);
  }

  async abort(localId: number): Promise<boolean> {
    const driver = await this.#ready();
    return driver.input(() => driver.machine.abort(localId));
  }

  async outbox(): Promise<OutboxItem[]> {
    return (await this.#ready()).machine.items();
  }

  async conversations(options: { readonly cached?: boolean } = {}): Promise<Conversation[]> {
    const driver = await this.#ready();
    if (options.cached) return driver.machine.conversations();
    return driver.call({ type: 'list' });
  }

  async history(
    conversation: string,
    range: Range,
    options: HistoryOptions = {},
  ): Promise<HistoryPage> {
    const driver = await this.#ready();
    const { history } = await import('./page.ts');
    return history(driver, this.options.store, conversation, range, options);
  }

  async markRead(conversation: string, upTo: number): Promise<void> {
    await (await this.#ready()).call({ type: 'read', conversation, upTo });
  }

  /** Goes on with a token that took the place of the one before. */
  async renewToken(token: string): Promise<void> {
    const bytes = tokenOf(token);
    const driver = await this.#ready();
    driver.machine.handleToken(driver.tick(), bytes);
  }

  async setBackground(background: boolean): Promise<void> {
    const driver = await this.#ready();
    driver.input((tick) => driver.machine.setBackground(tick, background));
  }

  async reconnect(): Promise<void> {
    const driver = await this.#ready();
    driver.input((tick) => driver.machine.forceReconnect(tick));
  }

  async drain(patienceMs: number): Promise<number> {
    const driver = await this.#ready();
    const left = await driver.drain(patienceMs);
    await this.close();
    return left;
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    if (!this.#starting) {
      this.#ended = { type: 'closed' };
      this.#begin?.(Promise.reject(new ParleyError(closed())));
      return;
    }
    const driver = await this.#starting.catch(() => undefined);
    if (driver && !driver.machine.isClosed) {
      driver.input((tick) => driver.machine.close(tick));
    }
    await driver?.settled();
    this.#ended ??= driver?.machine.state ?? { type: 'closed' };
    this.options.store?.close();
  }

  async forget(): Promise<void> {
    if (!this.#ended && this.#starting) {
      const driver = await this.#starting.catch(() => undefined);
      driver?.input((tick) => driver.machine.close(tick));
      await driver?.settled();
    }
    await this.options.store?.wipe();
    await this.close();
  }
}

function toOf(target: Target): To {
  if (typeof target === 'string') return { type: 'name', name: target };
  if ('sender' in target) return { type: 'conversation', conversation: target.conversation };
  if ('kind' in target) return { type: 'conversation', conversation: target.id };
  return 'id' in target ? { type: 'user', user: target.id } : target;
}

function tokenOf(text: string): Uint8Array {
  const token = fromHex(text);
  if (token?.length === 32) return token;
  throw new ParleyError({
    ...fromName('token_invalid'),
    text: 'a token is 64 hex digits',
  });
}
