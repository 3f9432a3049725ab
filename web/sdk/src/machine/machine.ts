/**
 * The client without I/O: connection, outbox and sync as one pure machine.
 *
 * It knows no socket, store, clock or random source. A driver calls it:
 *
 * 1. Inputs are the methods `handle…`, `queue`, `call` and so on; each takes a
 *    {@link Tick} where time or chance matters.
 * 2. After every input: {@link Machine.takeSaves} and make them durable where
 *    they are urgent, then do {@link Machine.takeEffects}, then write what
 *    `pollTransmit` gives until it gives nothing or the transport is full.
 * 3. Sleep until {@link Machine.deadline}, then {@link Machine.handleTimeout}.
 *
 * Entries of a conversation are emitted in order, each once; a send is in the
 * outbox until the server committed or refused it, and goes out with the same id
 * each time; what was not confirmed is said again after a reconnect. What the
 * server says is in `inbound.ts`, what is said to it in `outbound.ts`; further
 * rules are one to a file.
 */

import type { To } from '../actions.ts';
import type { Composed } from '../compose.ts';
import { closed, type ErrorInfo, problem } from '../error.ts';
import type * as wire from '../gen/wire.ts';
import type { Description, Conversation as Line, User } from '../model.ts';
import type { Save, Saved, StoredAccount, StoredItem } from '../store.ts';
import type { Event, OutboxItem, Sent, Session, State, TransportName } from '../types.ts';
import { type Call, expireCalls, settleLists } from './calls.ts';
import { type Backoff, Connect, type Step, type Tick } from './connect.ts';
import { Conversation } from './conversation.ts';
import { feedUnanswered, scheduleDoubts } from './feed.ts';
import { Outbox } from './outbox.ts';
import { expireTyping, forgetAskedNames, typingDeadline } from './people.ts';
import { Requests } from './requests.ts';
import { learnPeers, resolve } from './targets.ts';
import { Tracking } from './tracking.ts';

/** What the machine has to know from the start. */
export interface Config {
  readonly backoff: Backoff;
  /** How long a request waits for its answer. */
  readonly requestTimeoutMs: number;
  /** Where to start in conversations of which nothing is held. */
  readonly catchUp: 'undelivered' | 'unread' | 'everything';
  readonly canSignIn: boolean;
  readonly hasToken: boolean;
  readonly clientName: string;
  readonly clientVersion: string;
  /** Whether there is a store. */
  readonly keeps: boolean;
}

/** What the driver has to do. */
export type Effect =
  /** Get a token, then `handleToken` or `handleFailure`. */
  | { readonly type: 'signIn' }
  /** Open a transport, then `handleConnected` or `handleFailure`. */
  | { readonly type: 'dial' }
  /** Say goodbye and drop the transport, or stop opening one. */
  | { readonly type: 'hangup' }
  | { readonly type: 'emit'; readonly event: Event }
  | { readonly type: 'reply'; readonly call: number; readonly value: unknown }
  | { readonly type: 'refuse'; readonly call: number; readonly error: ErrorInfo }
  /** A send is over: committed, or not. */
  | { readonly type: 'committed'; readonly localId: number; readonly sent: Sent }
  | { readonly type: 'undone'; readonly localId: number; readonly error: ErrorInfo }
  /** The drain is over; so many sends were left. */
  | { readonly type: 'drained'; readonly left: number };

/** How long a server may say nothing while a request waits, and after a probe. */
const SILENCE_MS = 10_000;
const PROBE_MS = 3_000;

const NEVER = Number.POSITIVE_INFINITY;

export type ClientKind = NonNullable<wire.ClientEnvelope['kind']>;
export type ServerKind = NonNullable<wire.ServerEnvelope['kind']>;

export class Machine {
  readonly connect: Connect;
  readonly requests = new Requests();
  readonly outbox = new Outbox();
  /** Refused for good; they wait for the user. */
  readonly failed = new Map<number, StoredItem>();
  readonly tracking = new Tracking();
  readonly conversations = new Map<string, Conversation>();
  /** Conversations with something to ask or say, and those that will have at a time. */
  readonly work = new Set<string>();
  readonly timers = new Map<string, number>();
  /** Those that wait for a description or a gap fetch of others to be done. */
  readonly inLine = new Set<string>();
  /** The 1:1 conversation with a user; users by name. */
  readonly direct = new Map<string, string>();
  readonly names = new Map<string, User>();
  readonly lookingUp = new Set<string>();
  readonly wantedNames = new Set<string>();
  lookupAtMs = 0;
  readonly calls = new Map<number, { call: Call; untilMs: number }>();
  toAsk: number[] = [];
  account: StoredAccount | undefined;
  session: Session | undefined;
  sessionNumber = 0;
  transport: TransportName | undefined;
  /** Users met, by id; those asked for; those to ask for; those the server doesn't name. */
  readonly known = new Map<string, User>();
  readonly askingNames = new Set<string>();
  readonly wantedPeople = new Set<string>();
  readonly nameless = new Set<string>();
  /** Conversations that wait for a name. */
  readonly naming = new Set<string>();
  /** Whose presence the application watches; renewed in every session. */
  watched = new Set<string>();
  watchAtMs = NEVER;
  /** Who writes, until when; and when the user's own typing was last said. */
  readonly typing = new Map<string, { conversation: string; user: string; untilMs: number }>();
  readonly ownTyping = new Map<string, number>();
  /** What is said without an answer. */
  toSay: ClientKind[] = [];
  feedPosition: number;
  /** From where the feed is to be asked again, when that is before the position. */
  feedDoubt: number | undefined;
  /** From where it is being asked. */
  feedAsked: number | undefined;
  doubted = false;
  /** Syncs in a row that left a doubt. */
  doubts = 0;
  /** All pages of the first answer were taken. */
  synced = false;
  /** A device without a feed position begins by {@link Config.catchUp}. */
  fresh: boolean;
  syncAtMs = NEVER;
  helloDue = false;
  token: Uint8Array | undefined;
  /** Heartbeats in front of the user and behind. */
  heartbeatsMs: readonly [number, number] = [30_000, 30_000];
  background = false;
  pingAtMs = NEVER;
  heardMs = 0;
  private probeUntilMs = NEVER;
  describing = 0;
  fetching = 0;
  private drainUntilMs: number | undefined;
  lastLocalId: number;
  state: State = { type: 'idle' };
  private effects: Effect[] = [];
  private saves: Save[] = [];
  private readonly unsaved = new Set<string>();
  readonly changed = new Set<string>();

  /** A machine that goes on where `saved` ended. Nothing happens before {@link start}. */
  constructor(
    readonly config: Config,
    saved?: Saved,
  ) {
    this.connect = new Connect(config.backoff, config.hasToken, config.canSignIn);
    this.account = saved?.account;
    this.feedPosition = saved?.feedPosition ?? 0;
    this.fresh = this.feedPosition === 0;
    this.lastLocalId = saved?.lastLocalId ?? 0;
    for (const user of saved?.users ?? []) this.known.set(user.id, user);
    for (const it of saved?.conversations ?? []) {
      this.conversations.set(it.id, Conversation.restore(it));
    }
    learnPeers(this);
    const outbox = [...(saved?.outbox ?? [])].sort((a, b) => a.localId - b.localId);
    for (const item of outbox) {
      this.lastLocalId = Math.max(this.lastLocalId, item.localId);
      if (item.error) this.failed.set(item.localId, item);
      else this.push(item);
    }
  }

  get me(): string | undefined {
    return this.account?.user.id;
  }

  /** Begins to connect. */
  start(tick: Tick): void {
    if (this.connect.phase.type === 'idle') this.follow(this.connect.start(), tick);
  }

  /** Gives the token for the next `Hello`; after the effect `signIn` it goes on. */
  handleToken(tick: Tick, token: Uint8Array): void {
    this.token = token;
    this.follow(this.connect.handleToken(), tick);
  }

  /** The transport is open. */
  handleConnected(tick: Tick, transport: TransportName): void {
    this.connect.handleConnected(tick.nowMs);
    this.transport = transport;
    this.helloDue = this.connect.isHandshaking;
    this.heardMs = tick.nowMs;
    this.sayState(tick);
  }

  /** A sign-in or a dial failed, or the transport ended. */
  handleFailure(tick: Tick, error: ErrorInfo): void {
    this.forgetSession();
    this.follow(this.connect.handleFailure(tick, error), tick);
  }

  /** Puts an action into the outbox. The caller sees to its bounds. */
  queue(tick: Tick, to: To, clientMessageId: string, composed: Composed): StoredItem {
    const localId = ++this.lastLocalId;
    const { action, kind, body } = composed;
    const item = { localId, to, clientMessageId, action, kind, body, queuedMs: tick.wallMs };
    this.save({ type: 'queued', item });
    this.push(item);
    this.sayItem(localId);
    return item;
  }

  private push(item: StoredItem): void {
    const to = resolve(this, item.to);
    if (to.type === 'name' && !this.lookingUp.has(to.name)) this.wantedNames.add(to.name);
    this.outbox.push({ ...item, to });
  }

  /** Takes a send back. True when it has not left. */
  abort(localId: number): boolean {
    const item = this.outbox.abort(localId);
    if (!item) return false;
    this.done(item);
    this.effect({ type: 'undone', localId, error: problem('aborted', 'the send was aborted') });
    return true;
  }

  /** Takes a refused send out. */
  discard(localId: number): StoredItem | undefined {
    const item = this.failed.get(localId);
    if (!item) return undefined;
    this.failed.delete(localId);
    this.done(item);
    return item;
  }

  /** A send is no longer in the outbox. */
  done(item: StoredItem, sent?: Sent): void {
    const { localId, clientMessageId } = item;
    this.save({ type: 'done', localId });
    this.emit({ type: 'outboxDone', localId, clientMessageId, sent });
  }

  /** What is not committed, in order. */
  items(): OutboxItem[] {
    const ids = [...this.outbox.all(), ...this.failed.values()].map((item) => item.localId);
    return ids.sort((a, b) => a - b).flatMap((id) => this.item(id) ?? []);
  }

  item(localId: number): OutboxItem | undefined {
    const item = this.outbox.get(localId) ?? this.failed.get(localId);
    if (!item) return undefined;
    const { clientMessageId, to, action, queuedMs, error } = item;
    const onItsWay = this.outbox.isOnItsWay(localId);
    return {
      localId,
      clientMessageId,
      to,
      conversation: to.type === 'conversation' ? to.conversation : undefined,
      action,
      status: error ? 'failed' : onItsWay ? 'sending' : 'queued',
      error,
      queuedMs,
    };
  }

  sayItem(localId: number): void {
    const item = this.item(localId);
    if (item) this.emit({ type: 'outbox', item });
  }

  /** Whether the transport that was opened is still wanted. */
  get wantsTransport(): boolean {
    return this.connect.isReady || this.connect.isHandshaking;
  }

  description(conversation: string): Description | undefined {
    return this.conversations.get(conversation)?.description();
  }

  /** The conversation, known from now on. */
  conversation(id: string): Conversation {
    let it = this.conversations.get(id);
    if (!it) {
      it = new Conversation(id, this.fresh ? undefined : 0);
      this.conversations.set(id, it);
    }
    return it;
  }

  /** The list as it is known now, the latest activity first. */
  lines(): Line[] {
    const begun = [...this.conversations.values()].filter((it) => it.begun);
    const lines = begun.map((it) => it.line(this.me));
    return lines.sort((a, b) => b.lastTimeMs - a.lastTimeMs || (a.id < b.id ? 1 : -1));
  }

  /** The app went behind, or came back in front of its user. Said at once. */
  setBackground(tick: Tick, background: boolean): void {
    if (this.background === background) return;
    this.background = background;
    if (this.connect.isReady) this.pingAtMs = tick.nowMs;
  }

  get heartbeatMs(): number {
    return this.heartbeatsMs[this.background ? 1 : 0];
  }

  /**
   * Asks for a sign of life now, after a sleep or a change of the network. The
   * link counts as dead when none comes soon.
   */
  probe(tick: Tick): void {
    if (!this.connect.isReady) return;
    this.pingAtMs = tick.nowMs;
    this.probeUntilMs = Math.min(this.probeUntilMs, tick.nowMs + PROBE_MS);
  }

  /** Something was heard. */
  handleHeard(tick: Tick): void {
    this.heardMs = tick.nowMs;
    this.probeUntilMs = NEVER;
  }

  /** Drops the connection and opens a new one; ends a wait. */
  forceReconnect(tick: Tick): void {
    const step = this.connect.forceReconnect();
    if (step !== 'nothing') this.forgetSession();
    this.follow(step, tick);
  }

  /** Connects at once where it would wait. */
  hurry(tick: Tick): void {
    if (this.connect.phase.type === 'waiting') this.forceReconnect(tick);
  }

  /** Ends when everything is sent and acknowledged, at the latest after `patienceMs`. */
  drain(tick: Tick, patienceMs: number): void {
    this.drainUntilMs = tick.nowMs + patienceMs;
    // What waited for others to be acknowledged with goes now.
    for (const it of this.conversations.values()) {
      if (!it.acknowledged.isPending) continue;
      it.acknowledged.hurry();
      this.work.add(it.id);
    }
    this.sayState(tick);
    this.settle(tick);
  }

  get isDraining(): boolean {
    return this.drainUntilMs !== undefined;
  }

  /** Ends now. */
  close(tick: Tick, error?: ErrorInfo): void {
    this.follow(this.connect.close(error), tick);
  }

  takeEffects(): Effect[] {
    const { effects } = this;
    this.effects = [];
    return effects;
  }

  /** What changed since the last call and has to be kept. */
  takeSaves(): Save[] {
    const { saves } = this;
    this.saves = [];
    for (const id of this.unsaved) {
      const it = this.conversations.get(id);
      if (it?.begun) saves.push({ type: 'conversation', conversation: it.saved() });
    }
    this.unsaved.clear();
    // The feed position only once the conversations it speaks of are kept.
    const feed = (save: Save) => (save.type === 'feed' ? 1 : 0);
    return saves.sort((a, b) => feed(a) - feed(b));
  }

  effect(effect: Effect): void {
    this.effects.push(effect);
  }

  emit(event: Event): void {
    this.effect({ type: 'emit', event });
  }

  save(save: Save): void {
    if (this.config.keeps) this.saves.push(save);
  }

  /** A conversation's state changed: keep it, and look at what it needs. */
  touch(id: string): void {
    if (this.config.keeps) this.unsaved.add(id);
    this.work.add(id);
  }

  /** Forgets what belonged to one connection. */
  private forgetSession(): void {
    this.helloDue = false;
    this.transport = undefined;
    this.pingAtMs = NEVER;
    this.probeUntilMs = NEVER;
    this.syncAtMs = NEVER;
    feedUnanswered(this);
    this.synced = false;
    this.lookingUp.clear();
    this.lookupAtMs = 0;
    forgetAskedNames(this);
    this.watchAtMs = NEVER;
    this.toSay = [];
    this.ownTyping.clear();
    this.describing = 0;
    this.fetching = 0;
    this.timers.clear();
    this.inLine.clear();
    this.outbox.handleDisconnected();
    for (const pending of this.requests.drain()) {
      // What the application waits for is asked again.
      if (pending.type === 'call') this.toAsk.push(pending.call);
      if (pending.type === 'send') this.sayItem(pending.localId);
    }
    if (this.session) {
      for (const it of this.conversations.values()) it.handleDisconnected();
    }
    this.session = undefined;
  }

  private follow(step: Step, tick: Tick): void {
    switch (step) {
      case 'nothing':
        return;
      case 'signIn':
        this.effects.push({ type: 'hangup' }, { type: 'signIn' });
        break;
      case 'dial':
        this.effects.push({ type: 'dial' });
        break;
      case 'wait':
        this.effects.push({ type: 'hangup' });
        break;
      case 'redial':
        this.forgetSession();
        this.effects.push({ type: 'hangup' }, { type: 'dial' });
        break;
      case 'close':
        this.forgetSession();
        this.effects.push({ type: 'hangup' });
        this.disappointAll();
    }
    this.sayState(tick);
    this.settle(tick);
  }

  private disappointAll(): void {
    const { phase } = this.connect;
    const error = (phase.type === 'closed' ? phase.error : undefined) ?? closed();
    this.toAsk = [];
    for (const call of this.calls.keys()) this.effect({ type: 'refuse', call, error });
    this.calls.clear();
    if (this.isDraining) this.effect({ type: 'drained', left: this.outbox.size });
    this.drainUntilMs = undefined;
  }

  sayState(tick: Tick): void {
    const { phase } = this.connect;
    if (phase.type === 'closed') this.state = { type: 'closed', error: phase.error };
    else if (this.isDraining) this.state = { type: 'draining' };
    else if (phase.type === 'ready') {
      this.state = this.session
        ? { type: 'ready', session: this.session }
        : { type: 'handshaking' };
    } else if (phase.type === 'waiting') {
      const retryAtMs = tick.wallMs + Math.max(0, phase.untilMs - tick.nowMs);
      this.state = { type: 'waiting', retryAtMs, error: phase.error };
    } else this.state = { type: phase.type };
    this.emit({ type: 'state', state: this.state });
  }

  /** At the end of an input: what became possible, and one event a changed line. */
  settle(tick: Tick): void {
    for (const id of this.changed) {
      const it = this.conversations.get(id);
      if (it?.begun) this.emit({ type: 'conversation', conversation: it.line(this.me) });
    }
    this.changed.clear();
    scheduleDoubts(this, tick.nowMs);
    settleLists(this);
    if (this.drainUntilMs === undefined || this.connect.isClosed) return;
    const quiet =
      this.outbox.size === 0 &&
      [...this.conversations.values()].every(
        (it) => !it.acknowledged.isPending && !it.read.isPending,
      );
    if (quiet || tick.nowMs >= this.drainUntilMs) this.close(tick);
  }

  /** When {@link handleTimeout} wants to be called. */
  deadline(nowMs: number): number {
    const later = (at: number) => (at > nowMs ? at : NEVER);
    let at = Math.min(
      this.connect.deadline(),
      this.drainUntilMs ?? NEVER,
      typingDeadline(this),
      ...[...this.calls.values()].slice(0, 1).map((it) => it.untilMs),
    );
    if (!this.connect.isReady) return at;
    at = Math.min(at, this.pingAtMs, this.deadAtMs(), this.outbox.deadline(nowMs));
    at = Math.min(at, later(this.syncAtMs), later(this.lookupAtMs), later(this.watchAtMs));
    for (const timer of this.timers.values()) at = Math.min(at, timer);
    return at;
  }

  /**
   * When the link counts as dead: nothing at all was heard for two and a half
   * heartbeats, for {@link SILENCE_MS} (at least one heartbeat) with a request
   * waiting, or after a probe.
   */
  private deadAtMs(): number {
    const oldest = this.requests.oldestMs ?? NEVER;
    const patience = Math.max(SILENCE_MS, this.heartbeatMs);
    return Math.min(
      this.heardMs + 2.5 * this.heartbeatMs,
      Math.max(oldest, this.heardMs) + patience,
      oldest + this.config.requestTimeoutMs,
      this.probeUntilMs,
    );
  }

  /** Time passed. */
  handleTimeout(tick: Tick): void {
    for (const [id, at] of this.timers) {
      if (at > tick.nowMs) continue;
      this.timers.delete(id);
      this.work.add(id);
    }
    expireCalls(this, tick.nowMs);
    expireTyping(this, tick.nowMs);
    if (this.connect.isReady && this.deadAtMs() <= tick.nowMs) {
      this.handleFailure(tick, problem('timeout', 'the server went silent'));
    }
    const step = this.connect.handleTimeout(tick);
    if (step === 'wait') this.forgetSession();
    this.follow(step, tick);
    this.settle(tick);
  }
}
