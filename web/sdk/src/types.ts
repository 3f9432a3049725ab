/**
 * The public types of `@parley/client`: events, states, and what a client can
 * do. What conversations hold is in `model.ts`, what is put into them in
 * `actions.ts`, what stores keep in `store.ts`.
 */

import type {
  AccountSettingsChange,
  Action,
  NewInvite,
  PreferencesChange,
  ProfileChange,
  Report,
  To,
} from './actions.ts';
import type { ErrorInfo } from './error.ts';
import type {
  Account,
  Conversation,
  Description,
  Entry,
  HistoryPage,
  Invite,
  InvitePreview,
  MemberReceipt,
  Presence,
  Profile,
  Range,
  Receipt,
  Typing,
  User,
} from './model.ts';

export type * from './actions.ts';
export type { ErrorInfo, ErrorKind } from './error.ts';
export type * from './model.ts';
export type * from './store.ts';

/** How the client is connected. */
export type TransportName = 'websocket' | 'webtransport';

/** An open session. */
export interface Session {
  /** Identifies the connection in logs of both sides; proves nothing. */
  readonly id: string;
  readonly user: User;
  readonly device: string;
  readonly transport: TransportName;
  /** Characters the server takes in one text. */
  readonly textChars: number;
  /** Members the server takes in one group. */
  readonly groupMembers: number;
  /** The server's clock when the session opened. */
  readonly serverTimeMs: number;
}

/** Where the connection stands. */
export type State =
  /** Not started. */
  | { readonly type: 'idle' }
  /** Getting a token or a ticket. */
  | { readonly type: 'signingIn' }
  | { readonly type: 'connecting' }
  /** Connected; the server has not accepted the token yet. */
  | { readonly type: 'handshaking' }
  | { readonly type: 'ready'; readonly session: Session }
  /** Lost; trying again by itself. */
  | {
      readonly type: 'waiting';
      /** When, on the clock of `Date.now()`; earlier when the browser comes online. */
      readonly retryAtMs: number;
      readonly error: ErrorInfo;
    }
  /** Finishing what is queued; nothing new is taken. */
  | { readonly type: 'draining' }
  /** Over. With an error when it was not asked for. */
  | { readonly type: 'closed'; readonly error?: ErrorInfo | undefined };

/** A send the server committed: durable, never lost from here on. */
export interface Sent {
  readonly conversation: string;
  readonly seq: number;
  readonly timeMs: number;
  /** The server already had it from an earlier try. */
  readonly duplicate: boolean;
}

/** How far a send is. It only moves forward, but for `queued` after a refusal that may pass. */
export type SendStatus =
  | { readonly type: 'queued' }
  /** On its way, or waiting for the answer; it may have arrived. */
  | { readonly type: 'sending' }
  | { readonly type: 'sent'; readonly sent: Sent }
  /** A device of somebody else has it. */
  | { readonly type: 'delivered'; readonly sent: Sent }
  | { readonly type: 'read'; readonly sent: Sent }
  /** The server refused it for good. It stays in the outbox until {@link ClientApi.retry} or {@link ClientApi.discard}. */
  | { readonly type: 'failed'; readonly error: ErrorInfo }
  /** Taken back while queued; it never left. */
  | { readonly type: 'aborted' };

/** Names a send. */
export interface Submitted {
  /** Its name within this client; grows with every send, goes on after a restart with a store. */
  readonly localId: number;
  /** Its name on the wire, hex: sending it again gets the same answer. */
  readonly clientMessageId: string;
}

/** A send that is not committed. */
export interface OutboxItem extends Submitted {
  readonly to: To;
  /** Where it goes, when that is known. */
  readonly conversation?: string | undefined;
  readonly action: Action;
  readonly status: 'queued' | 'sending' | 'failed';
  readonly error?: ErrorInfo | undefined;
  /** By the device's clock. */
  readonly queuedMs: number;
}

/** What happened. */
export type Event =
  /** An entry of a conversation; in order of seq, each once. */
  | { readonly type: 'entry'; readonly entry: Entry }
  /** A line of the conversation list is new or changed. */
  | { readonly type: 'conversation'; readonly conversation: Conversation }
  /**
   * What this device held of the server, of a conversation or of all, was dropped,
   * since the server has another store now: it was restored from a copy. What was
   * shown of it is to be dropped, too; what the server has follows.
   */
  | { readonly type: 'reset'; readonly conversation?: string | undefined }
  /** The user hid these messages from themselves, on any device. */
  | { readonly type: 'hidden'; readonly conversation: string; readonly seqs: readonly number[] }
  /** Nothing up to this seq is there any more for this user. */
  | { readonly type: 'cleared'; readonly conversation: string; readonly upTo: number }
  | { readonly type: 'receipt'; readonly receipt: Receipt }
  | { readonly type: 'typing'; readonly typing: Typing }
  /** Somebody in {@link ClientApi.subscribePresence} came or went. */
  | { readonly type: 'presence'; readonly presence: Presence }
  /** Somebody in {@link ClientApi.subscribePresence} changed their profile. */
  | { readonly type: 'profile'; readonly profile: Profile }
  /** Profile, settings, contacts or blocks changed on another device; {@link ClientApi.account} has them. */
  | { readonly type: 'account'; readonly revision: number }
  /** Somebody signed in to the account; its owner may know nothing of it. */
  | {
      readonly type: 'signedIn';
      readonly device: string;
      readonly name: string;
      /** Whether the account did not have this device; otherwise it has one token more. */
      readonly newDevice: boolean;
      readonly timeMs: number;
    }
  /** A send is new, moved, or was refused. */
  | { readonly type: 'outbox'; readonly item: OutboxItem }
  /** A send is no longer in the outbox: it is committed (`sent`), was taken back or discarded. */
  | {
      readonly type: 'outboxDone';
      readonly localId: number;
      readonly clientMessageId: string;
      readonly sent?: Sent | undefined;
    }
  /** A committed send was delivered or read. Only for as long as it is followed (the newest 4,096). */
  | { readonly type: 'progress'; readonly localId: number; readonly status: SendStatus }
  /** The connection changed state. */
  | { readonly type: 'state'; readonly state: State }
  /** The preferred transport failed and the next one took over. */
  | {
      readonly type: 'fellBack';
      readonly from: TransportName;
      readonly to: TransportName;
      readonly error: ErrorInfo;
    };

export type Listener = (event: Event) => void;

/** How to submit an action. */
export interface SubmitOptions {
  /** Hex, 2 to 128 digits; made when absent. One that is in the outbox already names that item. */
  readonly clientMessageId?: string | undefined;
}

/** How to read history. */
export interface HistoryOptions {
  /** At most so many entries; the server's limit (200) when absent. */
  readonly limit?: number | undefined;
  /**
   * - absent: the server; the cache while there is no session.
   * - `only`: what the cache has, at once; an empty page that ends nowhere when it has nothing.
   * - `never`: the server, waiting for a session.
   */
  readonly cache?: 'only' | 'never' | undefined;
}

/**
 * What a client can do. The core's `Client` implements it, and a follower tab's
 * stand-in as well: arguments and results are structured-clonable, failures are
 * `ParleyError`.
 *
 * Requests wait for a session for up to 30 s (`requestTimeoutMs`); sends wait
 * for ever in the outbox.
 */
export interface ClientApi {
  readonly state: State;
  /** Who is signed in, as soon as known (with a store: before the first connection). */
  readonly me: User | undefined;

  /** Tells `listener` what happens from now on, until the returned function is called. */
  on(listener: Listener): () => void;

  /**
   * Puts an action into the outbox; with a store it is durable when this
   * resolves. Works offline. Actions in one conversation arrive in the order of
   * these calls. Rejects what no server would take, and `full`.
   */
  submit(to: To, action: Action, options?: SubmitOptions): Promise<Submitted>;
  /** Resolves when it is committed; rejects when it was refused, taken back, or the client closed. */
  committed(localId: number): Promise<Sent>;
  /** Takes a send back that has not left. False when it was sent, or may have been. */
  abort(localId: number): Promise<boolean>;
  /** Sends a refused one again, as a new send in its place. */
  retry(localId: number): Promise<Submitted>;
  /** Gives up a refused one. */
  discard(localId: number): Promise<void>;
  /** What is not committed, in order of local id. */
  outbox(): Promise<OutboxItem[]>;

  /**
   * The conversation list, the latest activity first. Waits for the first
   * answer of the server; with `cached` it returns what is known now.
   */
  conversations(options?: { readonly cached?: boolean }): Promise<Conversation[]>;
  /** A part of a conversation, with its messages as they are now. */
  history(conversation: string, range: Range, options?: HistoryOptions): Promise<HistoryPage>;
  /** Members with cursors, settings, pins. */
  describe(conversation: string): Promise<Description>;
  /** The user has seen everything up to there. Cumulative; sent until the server has it. */
  markRead(conversation: string, upTo: number): Promise<void>;
  /** Who has a message since when, as far as they let know. */
  receipts(conversation: string, seq: number): Promise<MemberReceipt[]>;
  setPreferences(conversation: string, change: PreferencesChange): Promise<void>;
  /** Hides messages from oneself, on all devices. */
  hide(conversation: string, seqs: readonly number[]): Promise<void>;
  /** Seqs of all messages the user hid there. */
  hidden(conversation: string): Promise<number[]>;

  /** Who is banned from a group, as admins and the owner are told; nobody to everybody else. */
  banned(conversation: string): Promise<User[]>;
  createInvite(conversation: string, invite?: NewInvite): Promise<Invite>;
  revokeInvite(conversation: string, id: string): Promise<void>;
  invites(conversation: string): Promise<Invite[]>;
  peekInvite(code: string): Promise<InvitePreview>;

  /** By exact user name; rejects with `not_found`. */
  findUser(name: string): Promise<User>;
  /** Those with these ids whose names can be found out. */
  users(ids: readonly string[]): Promise<User[]>;
  profile(user: string): Promise<Profile>;
  /** How these are now; watches nobody. */
  presence(users: readonly string[]): Promise<Presence[]>;
  /** How these are now, and events from then on, in every session. At most 500 in all. */
  subscribePresence(users: readonly string[]): Promise<Presence[]>;
  unsubscribePresence(users: readonly string[]): Promise<void>;
  /** The user writes, or stopped. May be called with every keystroke. */
  typing(conversation: string, active: boolean): Promise<void>;
  report(report: Report): Promise<void>;

  /** Profile, settings, contacts and blocks of the user. */
  account(): Promise<Account>;
  changeProfile(change: ProfileChange): Promise<void>;
  changeSettings(change: AccountSettingsChange): Promise<void>;
  addContact(user: string): Promise<void>;
  removeContact(user: string): Promise<void>;
  block(user: string): Promise<void>;
  unblock(user: string): Promise<void>;

  /** The app went behind, or came back in front of its user. */
  setBackground(background: boolean): Promise<void>;
  /** Connects now instead of waiting; drops a connection that is there. */
  reconnect(): Promise<void>;
  /** Ends when everything is sent and acknowledged, at the latest after `patienceMs`. Returns how many sends were left. */
  drain(patienceMs: number): Promise<number>;
  /** Ends now. What is in a store is sent after the next start. */
  close(): Promise<void>;
  /** Closes and wipes the store: after signing out. */
  forget(): Promise<void>;
}
