/**
 * The client without I/O: connection, outbox and sync as one pure machine.
 *
 * It knows no socket, store, clock or random source. A driver calls it:
 *
 * 1. Inputs are the methods `handle…`, `queue`, `call` and so on; each takes a
 *    {@link Tick} where time or chance matters.
 * 2. After every input: {@link Machine.takeSaves} and make them durable where
 *    they are urgent, then do what {@link Machine.pollOutput} returns until it
 *    returns nothing, then write what {@link Machine.pollTransmit} returns until
 *    it returns nothing or the transport is full.
 * 3. Sleep until {@link Machine.deadline}, then {@link Machine.handleTimeout}.
 *
 * Entries of a conversation are emitted in order, each once; a send is in the
 * outbox until the server committed or refused it, and goes out with the same id
 * each time; what was not confirmed is sent again after a reconnect. The state
 * is in the parts (see `parts.ts`), the rules are one to a file.
 */

import type { To } from '../actions.ts';
import type { Composed } from '../compose.ts';
import type { ErrorInfo } from '../error.ts';
import type * as wire from '../gen/wire.ts';
import type { Conversation as Line, User } from '../model.ts';
import type { Save, Saved, StoredItem } from '../store.ts';
import type { OutboxItem, State, TransportName } from '../types.ts';
import type { Call } from './calls.ts';
import { startCall, startDrain } from './commands.ts';
import type { Tick } from './connect.ts';
import type { Conversation } from './conversation/conversation.ts';
import { handleEnvelope } from './inbound.ts';
import { applyStep, close, endSession, fail, isOpen, reportState } from './lifecycle.ts';
import { type Envelope, pollTransmit } from './outbound.ts';
import type { Output } from './outputs.ts';
import { type Config, Parts } from './parts.ts';
import { learnPeers, push } from './targets.ts';
import { deadline, handleTimeout } from './time.ts';

export class Machine {
  readonly #parts: Parts;

  /** A machine that goes on where `saved` ended. Nothing happens before {@link start}. */
  constructor(config: Config, saved: Saved | undefined, resets: Parts['resets']) {
    const p = new Parts(config, saved, resets);
    this.#parts = p;
    learnPeers(p);
    const items = [...(saved?.outbox ?? [])].sort((a, b) => a.localId - b.localId);
    for (const item of items) push(p, item);
  }

  /** The state as last reported. */
  get state(): State {
    return this.#parts.outputs.state;
  }

  get user(): User | undefined {
    return this.#parts.account.user;
  }

  get isReady(): boolean {
    return this.#parts.connect.isReady;
  }

  get isClosed(): boolean {
    return this.#parts.connect.isClosed;
  }

  /** Whether new sends and calls are taken. */
  get isOpen(): boolean {
    return isOpen(this.#parts);
  }

  /** Begins to connect. */
  start(tick: Tick): void {
    const { connect } = this.#parts;
    this.#parts.aheadMs = tick.wallMs - tick.nowMs;
    if (connect.phase.type === 'idle') applyStep(this.#parts, connect.start(), tick);
  }

  /** The token for the next `Hello`; after the output `signIn` it goes on. */
  handleToken(tick: Tick, token: Uint8Array): void {
    applyStep(this.#parts, this.#parts.connect.handleToken(token), tick);
  }

  /** The transport is open. */
  handleConnected(tick: Tick, transport: TransportName): void {
    this.#parts.connect.handleConnected(tick.nowMs, transport);
    this.#parts.liveness.handleHeard(tick.nowMs);
    reportState(this.#parts, tick);
  }

  /** A sign-in or a dial failed, or the transport ended. */
  handleFailure(tick: Tick, error: ErrorInfo): void {
    fail(this.#parts, tick, error);
  }

  /** An envelope came. */
  handleEnvelope(tick: Tick, envelope: wire.ServerEnvelope): void {
    handleEnvelope(this.#parts, tick, envelope);
  }

  /** Time passed. */
  handleTimeout(tick: Tick): void {
    handleTimeout(this.#parts, tick);
  }

  /** When {@link handleTimeout} wants to be called. */
  deadline(nowMs: number): number {
    return deadline(this.#parts, nowMs);
  }

  /** The next envelope to write, or nothing when there is nothing to send now. */
  pollTransmit(nowMs: number): Envelope | undefined {
    return pollTransmit(this.#parts, nowMs);
  }

  /** The next thing the driver has to do. */
  pollOutput(): Output | undefined {
    return this.#parts.outputs.poll();
  }

  /** What changed since the last call and has to be kept. */
  takeSaves(): Save[] {
    const { outputs, conversations } = this.#parts;
    const saves = [...outputs.takeSaves(), ...conversations.takeUnsaved()];
    // The feed position only once the conversations it covers are kept.
    const feed = (save: Save) => (save.type === 'feed' ? 1 : 0);
    return saves.sort((a, b) => feed(a) - feed(b));
  }

  /** Puts an action into the outbox. The caller sees to its bounds. */
  queue(tick: Tick, to: To, clientMessageId: string, composed: Composed): StoredItem {
    const { outbox, outputs } = this.#parts;
    const localId = outbox.nextLocalId();
    const { action, kind, body } = composed;
    const item = { localId, to, clientMessageId, action, kind, body, queuedMs: tick.wallMs };
    outputs.save({ type: 'queued', item });
    push(this.#parts, item);
    outbox.report(localId);
    return item;
  }

  /** Takes a send back. True when it has not left. */
  abort(localId: number): boolean {
    return this.#parts.outbox.abort(localId);
  }

  /** Takes a refused send out. Returns it, if there is one. */
  discard(localId: number): StoredItem | undefined {
    return this.#parts.outbox.discard(localId);
  }

  /** What is not committed, as it is kept. */
  unsent(): StoredItem[] {
    return this.#parts.outbox.all();
  }

  /** What is not committed, as the application sees it, in order. */
  items(): OutboxItem[] {
    return this.#parts.outbox.list();
  }

  item(localId: number): OutboxItem | undefined {
    return this.#parts.outbox.item(localId);
  }

  /** Takes a call; its answer comes as the output `reply`. */
  call(tick: Tick, id: number, call: Call): void {
    startCall(this.#parts, tick, id, call);
  }

  /** The conversation list as it is known now, the latest activity first. */
  conversations(): Line[] {
    return this.#parts.conversations.list(this.#parts.account.me);
  }

  /** The highest seq that is known to exist in a conversation; 0 for none. */
  lastSeq(conversation: string): number {
    return this.#parts.conversations.get(conversation)?.log.last ?? 0;
  }

  /** The member with this id, as the conversation names them. */
  named(conversation: string, user: string): User | undefined {
    return this.#parts.conversations.get(conversation)?.named(user);
  }

  /** A conversation that is known. */
  conversation(id: string): Conversation | undefined {
    return this.#parts.conversations.get(id);
  }

  /** How far the server's clock is ahead of the device's. */
  get skewMs(): number {
    return this.#parts.skewMs;
  }

  /** Those of these users who are known from anywhere. */
  findUsers(ids: readonly string[]): User[] {
    return this.#parts.findUsers(ids);
  }

  /** The user types in a conversation, or stopped. Without a session nobody is told. */
  setTyping(tick: Tick, conversation: string, active: boolean): void {
    if (this.isReady) this.#parts.presence.setTyping(tick.nowMs, conversation, active);
  }

  /** The app went behind, or came back in front of its user. Sent at once. */
  setBackground(tick: Tick, background: boolean): void {
    this.#parts.liveness.setBackground(tick.nowMs, background, this.isReady);
  }

  /**
   * Asks for a sign of life now, after a sleep or a change of the network. The
   * link counts as dead when none comes soon.
   */
  probe(tick: Tick): void {
    if (this.isReady) this.#parts.liveness.probe(tick.nowMs);
  }

  /** Drops the connection and opens a new one; ends a wait. */
  forceReconnect(tick: Tick): void {
    const step = this.#parts.connect.forceReconnect();
    if (step !== 'nothing') endSession(this.#parts);
    applyStep(this.#parts, step, tick);
  }

  /** Connects at once where it would wait. */
  endWait(tick: Tick): void {
    if (this.#parts.connect.phase.type === 'waiting') this.forceReconnect(tick);
  }

  /** Ends when everything is sent and acknowledged, at the latest after `patienceMs`. */
  drain(tick: Tick, patienceMs: number): void {
    startDrain(this.#parts, tick, patienceMs);
  }

  /** How many sends a drain would wait for. */
  get queued(): number {
    return this.#parts.outbox.size;
  }

  /** Ends now. */
  close(tick: Tick): void {
    close(this.#parts, tick);
  }
}
