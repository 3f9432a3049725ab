/** The client: everything a user can do, over one connection that renews itself. */

import type {
  AccountSettingsChange,
  Action,
  NewInvite,
  NewMessage,
  PreferencesChange,
  ProfileChange,
  Report,
  To,
} from './actions.ts';
import type { Init } from './codec.ts';
import { compose } from './compose.ts';
import { nameless, profileOf } from './convert.ts';
import { Driver } from './driver/driver.ts';
import type { Answer, Asker } from './errands.ts';
import { closed, fromName, ParleyError, problem } from './error.ts';
import { type Page, people, rawEntries } from './history.ts';
import { fromHex, toHex, uuidBytes } from './ids.ts';
import { type ClientKind, Machine, type ServerKind } from './machine/machine.ts';
import { findUsers, sayTyping } from './machine/people.ts';
import type {
  Account,
  Conversation,
  Description,
  HistoryPage,
  Invite,
  InvitePreview,
  MemberReceipt,
  Presence,
  Profile,
  Range,
  User,
} from './model.ts';
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

/** Names that are asked for to show one page; the rest are called by their ids. */
const NAMES = 32;
const NAMES_AT_A_TIME = 8;

/** As the server's limit, plus room for its header. */
const MIB = 1 << 20;

type Errands = typeof import('./errands.ts');

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
  private driver: Driver | undefined;
  private readonly early = new Set<Listener>();
  private starting: Promise<Driver> | undefined;
  private begin: ((driver: Promise<Driver>) => void) | undefined;
  private readonly begun: Promise<Driver>;
  private ended: State | undefined;

  constructor(private readonly options: ClientOptions) {
    this.begun = new Promise((resolve) => {
      this.begin = resolve;
    });
    // Whoever calls something hears of it.
    this.begun.catch(() => {});
  }

  get state(): State {
    return this.ended ?? this.driver?.machine.state ?? { type: 'idle' };
  }

  get me(): User | undefined {
    return this.driver?.machine.account?.user;
  }

  /** Loads the store, and begins to connect. Rejects when the store can't be read. */
  async start(): Promise<void> {
    if (!this.starting) {
      this.starting = this.open();
      this.begin?.(this.starting);
    }
    await this.starting;
  }

  private async open(): Promise<Driver> {
    const { options } = this;
    const { auth, store } = options;
    let saved: Saved | undefined;
    try {
      saved = await store?.load();
    } catch (thrown) {
      const name = thrown instanceof Error ? thrown.name : 'failed';
      throw new ParleyError(problem('store', `the store can't be read: ${name}`));
    }
    if (this.ended) throw new ParleyError(closed());
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
    const machine = new Machine(config, saved);
    if ('token' in auth) machine.token = tokenOf(auth.token);
    const driver = new Driver(options, machine);
    for (const listener of this.early) driver.listeners.add(listener);
    this.early.clear();
    this.driver = driver;
    driver.input((tick) => machine.start(tick));
    return driver;
  }

  private ready(): Promise<Driver> {
    if (this.ended) return Promise.reject(new ParleyError(closed()));
    return this.driver ? Promise.resolve(this.driver) : this.begun;
  }

  on(listener: Listener): () => void {
    const { listeners } = this.driver ?? { listeners: this.early };
    // The same function may be given twice.
    const own: Listener = (event) => listener(event);
    listeners.add(own);
    return () => {
      this.early.delete(own);
      this.driver?.listeners.delete(own);
    };
  }

  /** Says something; a string as target is a user name, as message its text. */
  async send(to: To | string, message: NewMessage | string): Promise<SendHandle> {
    const target: To = typeof to === 'string' ? { type: 'name', name: to } : to;
    const said = typeof message === 'string' ? { text: message } : message;
    return new SendHandle(this, await this.submit(target, { type: 'text', ...said }));
  }

  async submit(to: To, action: Action, options: SubmitOptions = {}): Promise<Submitted> {
    const composed = compose(to, action);
    const driver = await this.ready();
    const { machine } = driver;
    const { items, bytes } = this.options.outboxLimit ?? { items: 10_000, bytes: 64 * MIB };
    const id = options.clientMessageId ?? toHex(crypto.getRandomValues(new Uint8Array(16)));
    const length = fromHex(id)?.length ?? 0;
    if (length < 1 || length > 64) {
      const text = 'a client message id is written as 2 to 128 hex digits';
      throw new ParleyError(problem('invalidArgument', text));
    }
    const waiting = [...machine.outbox.all(), ...machine.failed.values()];
    const clientMessageId = id.toLowerCase();
    const there = waiting.find((item) => item.clientMessageId === clientMessageId);
    if (there) return { localId: there.localId, clientMessageId };
    if (machine.connect.isClosed || machine.isDraining) throw new ParleyError(closed());
    const size = waiting.reduce((sum, item) => sum + item.body.length, composed.body.length);
    if (waiting.length >= items || size > bytes) {
      throw new ParleyError(problem('full', 'the outbox is full'));
    }
    const { localId } = await driver.queue((tick) =>
      machine.queue(tick, to, clientMessageId, composed),
    );
    return { localId, clientMessageId };
  }

  async committed(localId: number): Promise<Sent> {
    // Also of a client that is over: what was committed stays so.
    return (this.driver ?? (await this.ready())).committed(localId);
  }

  async abort(localId: number): Promise<boolean> {
    const driver = await this.ready();
    return driver.input(() => driver.machine.abort(localId));
  }

  async retry(localId: number): Promise<Submitted> {
    const driver = await this.ready();
    const { machine } = driver;
    const item = machine.failed.get(localId);
    if (!item) throw new ParleyError(problem('invalidArgument', 'there is no such refused send'));
    const clientMessageId = toHex(crypto.getRandomValues(new Uint8Array(16)));
    const again = await driver.queue((tick) => {
      machine.discard(localId);
      return machine.queue(tick, item.to, clientMessageId, item);
    });
    return { localId: again.localId, clientMessageId };
  }

  async discard(localId: number): Promise<void> {
    const driver = await this.ready();
    driver.input(() => driver.machine.discard(localId));
  }

  async outbox(): Promise<OutboxItem[]> {
    return (await this.ready()).machine.items();
  }

  async conversations(options: { readonly cached?: boolean } = {}): Promise<Conversation[]> {
    const driver = await this.ready();
    if (options.cached) return driver.machine.lines();
    return driver.call({ type: 'list' });
  }

  async history(
    conversation: string,
    range: Range,
    { limit = 0, cache }: HistoryOptions = {},
  ): Promise<HistoryPage> {
    const driver = await this.ready();
    const offline = !driver.machine.connect.isReady;
    const cached =
      cache === 'only' || (offline && cache !== 'never')
        ? await this.cached(driver, conversation, range, limit)
        : undefined;
    if (cached) return this.page(driver, conversation, cached, cache !== 'only');
    if (cache === 'only') return { ...NO_PAGE, entries: [], quoted: [], reactionsCut: false };
    const page = await driver.call<Page>({ type: 'fetch', conversation, range, limit });
    return this.page(driver, conversation, page, true);
  }

  private async cached(
    { machine }: Driver,
    conversation: string,
    range: Range,
    limit: number,
  ): Promise<Page | undefined> {
    const stored = await this.options.store?.cached(conversation, range, limit || 200);
    if (!stored) return undefined;
    const entries = rawEntries(stored.entries.map((entry) => entry.bytes));
    const related = rawEntries(stored.related.map((entry) => entry.bytes));
    const lastSeq = machine.conversations.get(conversation)?.log.last ?? 0;
    const { atStart, atEnd } = stored;
    return { ...NO_PAGE, entries, related, atStart, atEnd, lastSeq };
  }

  private async page(
    driver: Driver,
    conversation: string,
    page: Page,
    ask: boolean,
  ): Promise<HistoryPage> {
    const { machine } = driver;
    const it = machine.conversations.get(conversation);
    const ids = [...new Set([...page.entries, ...page.related].flatMap(people))];
    const unnamed = ids.filter((id) => !it?.named(id));
    const users = await this.named(driver, unnamed, ask && machine.connect.isReady);
    const name = (id: string) => it?.named(id) ?? users.get(id) ?? nameless(id);
    const { readPage } = await import('./page.ts');
    return readPage({ conversation, me: machine.me, name }, page);
  }

  async describe(conversation: string): Promise<Description> {
    return (await this.ready()).call({ type: 'describe', conversation });
  }

  async markRead(conversation: string, upTo: number): Promise<void> {
    await (await this.ready()).call({ type: 'read', conversation, upTo });
  }

  receipts(conversation: string, seq: number): Promise<MemberReceipt[]> {
    return this.errand((it, asker) => it.receipts(asker, conversation, seq));
  }

  setPreferences(conversation: string, change: PreferencesChange): Promise<void> {
    return this.errand((it, asker) => it.setPreferences(asker, conversation, change));
  }

  hide(conversation: string, seqs: readonly number[]): Promise<void> {
    return this.errand((it, asker) => it.hide(asker, conversation, seqs));
  }

  hidden(conversation: string): Promise<number[]> {
    return this.errand((it, asker) => it.hidden(asker, conversation));
  }

  createInvite(conversation: string, invite: NewInvite = {}): Promise<Invite> {
    return this.errand((it, asker) => it.createInvite(asker, conversation, invite));
  }

  revokeInvite(conversation: string, id: string): Promise<void> {
    return this.errand((it, asker) => it.revokeInvite(asker, conversation, id));
  }

  invites(conversation: string): Promise<Invite[]> {
    return this.errand((it, asker) => it.invites(asker, conversation));
  }

  peekInvite(code: string): Promise<InvitePreview> {
    return this.errand((it, asker) => it.peekInvite(asker, code));
  }

  async findUser(name: string): Promise<User> {
    return (await this.ready()).call({ type: 'lookup', name });
  }

  async users(ids: readonly string[]): Promise<User[]> {
    const users = await this.named(await this.ready(), ids);
    return ids.flatMap((id) => users.get(id) ?? []);
  }

  /** The users with these ids; asks for those who are not known. */
  private async named(
    driver: Driver,
    ids: readonly string[],
    ask = true,
  ): Promise<Map<string, User>> {
    const users = new Map(findUsers(driver.machine, ids).map((user) => [user.id, user]));
    if (!ask) return users;
    const unknown = ids.filter((id) => !users.has(id)).slice(0, NAMES);
    const next = async (): Promise<void> => {
      for (let id = unknown.shift(); id !== undefined; id = unknown.shift()) {
        // Whoever can't be asked about is called by the id.
        const profile = await this.profile(id).catch(() => undefined);
        if (profile) users.set(id, profile.user);
      }
    };
    await Promise.all(Array.from({ length: Math.min(NAMES_AT_A_TIME, unknown.length) }, next));
    return users;
  }

  async profile(user: string): Promise<Profile> {
    const value = { user: uuidBytes(user) };
    return profileOf(await this.ask({ case: 'getProfile', value }, 'profile'));
  }

  presence(users: readonly string[]): Promise<Presence[]> {
    return this.errand((it, asker) => it.subscribe(asker, users, { once: true }));
  }

  subscribePresence(users: readonly string[]): Promise<Presence[]> {
    return this.errand((it, asker) => it.subscribe(asker, users, {}));
  }

  async unsubscribePresence(users: readonly string[]): Promise<void> {
    await this.errand((it, asker) => it.subscribe(asker, users, { drop: true }));
  }

  async typing(conversation: string, active: boolean): Promise<void> {
    const driver = await this.ready();
    driver.input((tick) => sayTyping(driver.machine, tick, conversation, active));
  }

  report(report: Report): Promise<void> {
    return this.errand((it, asker) => it.report(asker, report));
  }

  account(): Promise<Account> {
    return this.errand((it, asker) => it.account(asker));
  }

  changeProfile(change: ProfileChange): Promise<void> {
    return this.errand((it, asker) => it.changeProfile(asker, change));
  }

  changeSettings(change: AccountSettingsChange): Promise<void> {
    return this.errand((it, asker) => it.changeSettings(asker, change));
  }

  addContact(user: string): Promise<void> {
    return this.errand((it, asker) => it.relate(asker, 'addContact', user));
  }

  removeContact(user: string): Promise<void> {
    return this.errand((it, asker) => it.relate(asker, 'removeContact', user));
  }

  block(user: string): Promise<void> {
    return this.errand((it, asker) => it.relate(asker, 'block', user));
  }

  unblock(user: string): Promise<void> {
    return this.errand((it, asker) => it.relate(asker, 'unblock', user));
  }

  /** Something that is asked now and then, by code that is loaded with the first of it. */
  private async errand<T>(run: (it: Errands, asker: Asker) => Promise<T>): Promise<T> {
    const driver = await this.ready();
    return run(await import('./errands.ts'), {
      ask: (kind, expected) => this.ask(kind, expected),
      users: (ids) => this.named(driver, ids),
      named: (conversation, id) => driver.machine.conversations.get(conversation)?.named(id),
    });
  }

  private async ask<C extends ServerKind['case']>(
    kind: Init<ClientKind>,
    expected: C,
  ): Promise<Answer<C>> {
    const driver = await this.ready();
    const answer = await driver.call<ServerKind>({ type: 'ask', kind: kind as ClientKind });
    if (answer?.case !== expected) {
      throw new ParleyError(problem('protocol', "the server's answer is of another kind"));
    }
    return answer.value as Answer<C>;
  }

  async setBackground(background: boolean): Promise<void> {
    const driver = await this.ready();
    driver.input((tick) => driver.machine.setBackground(tick, background));
  }

  async reconnect(): Promise<void> {
    const driver = await this.ready();
    driver.input((tick) => driver.machine.forceReconnect(tick));
  }

  async drain(patienceMs: number): Promise<number> {
    const driver = await this.ready();
    const left = await driver.drain(patienceMs);
    await this.close();
    return left;
  }

  async close(): Promise<void> {
    if (this.ended) return;
    if (!this.starting) {
      this.ended = { type: 'closed' };
      this.begin?.(Promise.reject(new ParleyError(closed())));
      return;
    }
    const driver = await this.starting.catch(() => undefined);
    if (driver && !driver.machine.connect.isClosed) {
      driver.input((tick) => driver.machine.close(tick));
    }
    await driver?.settled();
    this.ended ??= driver?.machine.state ?? { type: 'closed' };
    this.options.store?.close();
  }

  async forget(): Promise<void> {
    if (!this.ended && this.starting) {
      const driver = await this.starting.catch(() => undefined);
      driver?.input((tick) => driver.machine.close(tick));
      await driver?.settled();
    }
    await this.options.store?.wipe();
    await this.close();
  }
}

const NO_PAGE: Page = {
  entries: [],
  related: [],
  atStart: false,
  atEnd: false,
  lastSeq: 0,
  relatedCut: false,
  fromCache: true,
};

function tokenOf(text: string): Uint8Array {
  const token = fromHex(text);
  if (token?.length === 32) return token;
  throw new ParleyError({
    ...fromName('token_invalid'),
    text: 'a token is written as 64 hex digits',
  });
}
