// One signed-in account while it is shown: its client, the client's views, and the state that screens follow.

import type { Account as AccountData, ClientApi, HttpApi, State } from '@parley/client';
import type { PeopleStore } from '@parley/client/cache';
import type { ConversationListView, PresenceView, TypingView } from '@parley/client/view';
import { getContext, setContext } from 'svelte';
import { DraftTeller } from '../chat/state/draft-teller';
import { Drafts } from '../chat/state/drafts';
import { t } from '../i18n';
import { go } from '../lib/router.svelte';
import { notify } from '../lib/ui/notices.svelte';
import { KnownPeople } from '../people/known.svelte';
import { type Account, apiOf, expire } from './accounts.svelte';
import { forgetRead } from './ended';
import { Names } from './names.svelte';

/** What {@link Session} is made over: see connect.ts. */
export interface Connection {
  readonly client: ClientApi;
  readonly conversations: ConversationListView;
  readonly presence: PresenceView;
  readonly typing: TypingView;
  /** What people are called, as this browser kept it. */
  readonly people: PeopleStore;
  /** What is unsent stays for the next time. */
  close(): Promise<void>;
  /** Wipes what this browser kept. */
  forget(): Promise<void>;
}

export class Session {
  readonly slot: number;
  readonly client: ClientApi;
  /** For what goes by HTTP: devices, password, export. */
  readonly api: HttpApi;
  readonly conversations: ConversationListView;
  readonly presence: PresenceView;
  readonly typing: TypingView;
  /** What people like to be called. */
  readonly names: Names;
  /** Whom the user knows here, to be found by name. */
  readonly known: KnownPeople;
  /** Tells the server drafts. */
  readonly drafts: DraftTeller;
  readonly me: { id: string; name: string };
  readonly deviceId: string;

  /** The state of the connection. */
  state = $state.raw<State>({ type: 'idle' });
  /** The browser has no network, as far as it knows; the connection takes longer to find out. */
  offline = $state(globalThis.navigator?.onLine === false);
  /** Profile, settings, contacts, blocks; undefined until they came. */
  account = $state.raw<AccountData>();

  readonly #connection: Connection;
  readonly #stop: () => void;
  readonly #stopNetwork: () => void;
  #loading = false;
  #stale = false;
  #left = false;
  #ended: Promise<void> | undefined;

  constructor(account: Account, connection: Connection) {
    this.slot = account.slot;
    this.me = { id: account.userId, name: account.name };
    this.deviceId = account.deviceId;
    this.#connection = connection;
    this.client = connection.client;
    this.conversations = connection.conversations;
    this.presence = connection.presence;
    this.typing = connection.typing;
    this.api = apiOf(account.slot);
    this.names = new Names(this.client, this.me, {
      store: connection.people,
      presence: this.presence,
    });
    this.known = new KnownPeople(this);
    this.drafts = new DraftTeller(this.client, new Drafts(this.me.id));
    this.state = this.client.state;
    this.#stopNetwork = followNetwork((offline) => {
      this.offline = offline;
    });
    this.#stop = this.client.on((event) => {
      // Some browsers say so of a network that works.
      if (this.offline && this.state.type === 'ready' && FROM_SERVER.has(event.type))
        this.offline = false;
      if (event.type === 'state') this.#moved(event.state);
      else if (event.type === 'account') void this.reloadAccount();
      else if (event.type === 'reset') {
        const key = event.conversation === undefined ? 'restored.all' : 'restored.chat';
        notify(t(key), { stays: true });
      } else if (event.type === 'signedIn') {
        const key = event.newDevice ? 'devices.new' : 'devices.again';
        const devices = { name: 'settings', slot: this.slot, page: 'devices' } as const;
        notify(t(key, { name: event.name }), {
          stays: true,
          action: { label: t('devices.look'), run: () => go(devices) },
        });
      } else if (event.type === 'profile') this.names.learn(event.profile);
    });
    void this.reloadAccount();
  }

  /** Whether the server is heard: what it last said of who is there holds. */
  get live(): boolean {
    return this.state.type === 'ready' && !this.offline;
  }

  #moved(state: State): void {
    this.state = state;
    if (state.type === 'ready') void this.reloadAccount();
    const expired = state.type === 'closed' && state.error?.kind === 'signIn';
    if (!expired || this.#left) return;
    expire(this.slot);
    // Whoever has this device now reads nothing any more.
    void this.close()
      .then(() => forgetRead(this.me.id, this.slot))
      .catch(() => undefined);
  }

  /** Reads the account anew. A call while it is being read makes it be read once more afterwards. */
  async reloadAccount(): Promise<void> {
    this.#stale = true;
    if (this.#loading) return;
    this.#loading = true;
    try {
      while (this.#stale) {
        this.#stale = false;
        const account = await this.client.account();
        this.account = account;
        this.names.learn(account.profile, ...account.contacts, ...account.blocked);
      }
    } catch {
      // No session: it is read when there is one.
    } finally {
      this.#loading = false;
    }
  }

  /** Says that the end of the session will be asked for: it is then not taken for an expired one. */
  leaving(): void {
    this.#left = true;
  }

  /** Leaves the account as it is; what is unsent stays for the next time. */
  close(): Promise<void> {
    return this.#end('close');
  }

  /** Leaves it and wipes what this browser kept of it. */
  forget(): Promise<void> {
    return this.#end('forget');
  }

  #end(how: 'close' | 'forget'): Promise<void> {
    this.#stop();
    this.#stopNetwork();
    this.drafts.close();
    this.names.close();
    this.#ended ??= this.#connection[how]();
    return this.#ended;
  }
}

/** What only the server can have said. */
const FROM_SERVER: ReadonlySet<string> = new Set(['entry', 'receipt', 'presence', 'typing']);

/** Tells when the browser loses its network and has it again, until the returned function is called. */
function followNetwork(tell: (offline: boolean) => void): () => void {
  const ended = new AbortController();
  for (const type of ['online', 'offline']) {
    addEventListener(type, () => tell(type === 'offline'), { signal: ended.signal });
  }
  return () => ended.abort();
}

const KEY = Symbol('session');

/** For the frame: makes the session known to the screens in it. */
export function provideSession(session: Session): void {
  setContext(KEY, session);
}

/** The session of the screen that asks; only while a component is made. */
export function useSession(): Session {
  const session = getContext<Session | undefined>(KEY);
  if (session === undefined) throw new Error('useSession outside of the frame');
  return session;
}
