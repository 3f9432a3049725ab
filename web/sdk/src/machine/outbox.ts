/**
 * What was sent and is not committed yet.
 *
 * One lane for each target. A lane has at most one send on its way, so that a
 * refusal can't let a later message overtake an earlier one; lanes go side by
 * side. A send without an answer goes out again after a reconnect with the same
 * client message id. A recoverable refusal parks its lane, an unrecoverable one
 * takes only its item out of it, which waits for the user. Bounds are the
 * caller's.
 */

import type { To } from '../actions.ts';
import { type ErrorInfo, verdict } from '../error.ts';
import type { StoredItem } from '../store.ts';
import type { OutboxItem, Sent } from '../types.ts';
import { type Backoff, backoffMs, type Tick } from './connect.ts';
import type { Ended, Outputs } from './outputs.ts';

interface Lane {
  to: To;
  queue: number[];
  inFlight: boolean;
  /** The head was on its way when a connection ended: it may have arrived. */
  unanswered: boolean;
  parkedUntilMs: number;
  /** Recoverable refusals in a row. */
  refusals: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** A target as text; the same text is the same lane. */
function laneKey(to: To): string {
  switch (to.type) {
    case 'name':
      return `n${to.name}`;
    case 'user':
      return `u${to.user}`;
    case 'conversation':
      return `c${to.conversation}`;
    case 'newGroup':
      return 'g';
    case 'invite':
      return `i${to.code}`;
  }
}

export class Outbox {
  readonly #outputs: Outputs;
  readonly #backoff: Backoff;
  /** By local id, in order. */
  readonly #items = new Map<number, StoredItem>();
  /** In turn: the lane that was served goes to the end. */
  readonly #lanes = new Map<string, Lane>();
  /** Refused for good; they wait for the user. */
  readonly #failed = new Map<number, StoredItem>();
  #lastLocalId: number;
  #drainUntilMs: number | undefined;

  /** `lastLocalId` is the highest one ever given. */
  constructor(outputs: Outputs, backoff: Backoff, lastLocalId = 0) {
    this.#outputs = outputs;
    this.#backoff = backoff;
    this.#lastLocalId = lastLocalId;
  }

  nextLocalId(): number {
    return ++this.#lastLocalId;
  }

  /** How many wait to be committed, without those that were refused. */
  get size(): number {
    return this.#items.size;
  }

  /** Everything, the refused last. */
  all(): StoredItem[] {
    const waiting = [...this.#items.values()].sort((a, b) => a.localId - b.localId);
    return [...waiting, ...this.#failed.values()];
  }

  /** What is not committed, as the application sees it, in order. */
  list(): OutboxItem[] {
    const ids = this.all().map((item) => item.localId);
    return ids.sort((a, b) => a - b).flatMap((id) => this.item(id) ?? []);
  }

  /** One item as the application sees it. */
  item(localId: number): OutboxItem | undefined {
    const item = this.#items.get(localId) ?? this.#failed.get(localId);
    if (!item) return undefined;
    const { clientMessageId, to, action, queuedMs, error } = item;
    const lane = this.#laneOf(localId);
    const onItsWay = lane?.inFlight && lane.queue[0] === localId;
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

  /** Tells the application how an item stands. */
  report(localId: number): void {
    const item = this.item(localId);
    if (item) this.#outputs.emit({ type: 'outbox', item });
  }

  /** Takes an item in, new or from a store. */
  push(item: StoredItem): void {
    this.#lastLocalId = Math.max(this.#lastLocalId, item.localId);
    if (item.error) this.#failed.set(item.localId, item);
    else {
      this.#items.set(item.localId, item);
      this.#lane(item.to).queue.push(item.localId);
    }
  }

  #lane(to: To): Lane {
    const key = laneKey(to);
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = { to, queue: [], inFlight: false, unanswered: false, parkedUntilMs: 0, refusals: 0 };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #laneOf(localId: number): Lane | undefined {
    const item = this.#items.get(localId);
    return item && this.#lanes.get(laneKey(item.to));
  }

  /**
   * The next item to put on the wire, now on its way. An item waits while an
   * earlier one has a target that may turn out to be the same conversation: a
   * name not looked up yet; a user whose conversation is not known, as long as
   * `isKnown` is false of this one; and the reverse.
   */
  next(nowMs: number, isKnown: (conversation: string) => boolean): StoredItem | undefined {
    let [name, user, unknown] = [NEVER, NEVER, NEVER];
    for (const { to, queue } of this.#lanes.values()) {
      const head = queue[0] ?? NEVER;
      if (to.type === 'name') name = Math.min(name, head);
      else if (to.type === 'user') user = Math.min(user, head);
      else if (to.type === 'conversation' && !isKnown(to.conversation)) {
        unknown = Math.min(unknown, head);
      }
    }
    for (const [key, lane] of this.#lanes) {
      const { to } = lane;
      const head = lane.queue[0];
      if (head === undefined || lane.inFlight || lane.parkedUntilMs > nowMs) continue;
      if (to.type === 'name') continue;
      if (to.type === 'user' && (name < head || unknown < head)) continue;
      if (to.type === 'conversation') {
        if (name < head || (user < head && !isKnown(to.conversation))) continue;
      }
      lane.inFlight = true;
      this.#lanes.delete(key);
      this.#lanes.set(key, lane);
      this.report(head);
      return this.#items.get(head);
    }
    return undefined;
  }

  /** Names that have to be looked up before their lanes can move. */
  unresolved(): string[] {
    const names: string[] = [];
    for (const { to } of this.#lanes.values()) if (to.type === 'name') names.push(to.name);
    return names;
  }

  /** Two targets turned out to be the same: their lanes become one, in the order of queueing. */
  merge(from: To, to: To): void {
    if (laneKey(from) === laneKey(to)) return;
    const old = this.#lanes.get(laneKey(from));
    if (!old) return;
    this.#lanes.delete(laneKey(from));
    const lane = this.#lane(to);
    lane.queue = [...lane.queue, ...old.queue].sort((a, b) => a - b);
    for (const id of old.queue) {
      const item = this.#items.get(id);
      if (item) this.#items.set(id, { ...item, to });
    }
    lane.inFlight ||= old.inFlight;
    lane.unanswered ||= old.unanswered;
    lane.parkedUntilMs = Math.max(lane.parkedUntilMs, old.parkedUntilMs);
    lane.refusals = Math.max(lane.refusals, old.refusals);
  }

  /** The server committed it. Returns the item, if it was in here. */
  handleSent(localId: number, sent: Sent): StoredItem | undefined {
    this.#answered(localId);
    const item = this.#remove(localId);
    if (item) this.#end(item, { type: 'sent', sent });
    return item;
  }

  /** The server refused it: it stays at the head of its lane and goes again, or it fails. */
  handleFailure(tick: Tick, localId: number, error: ErrorInfo): void {
    const lane = this.#laneOf(localId);
    if (!lane) return;
    lane.inFlight = false;
    const retry = error.code === undefined ? 'retry_after' : verdict(error.code);
    if (retry === 'stop') {
      this.#answered(localId);
      this.#fail(localId, error);
      return;
    }
    // "Now" is taken at its word once; then it waits like the others.
    const atOnce = retry === 'retry_now' && lane.refusals === 0;
    const waitMs = atOnce
      ? 0
      : backoffMs(this.#backoff, lane.refusals, tick.random, error.retryAfterMs);
    lane.refusals++;
    lane.parkedUntilMs = tick.nowMs + waitMs;
    this.report(localId);
  }

  #answered(localId: number): void {
    const lane = this.#laneOf(localId);
    if (!lane) return;
    lane.inFlight = false;
    lane.unanswered = false;
    lane.refusals = 0;
  }

  /** The target can't be reached: everything for it fails. */
  failLane(to: To, error: ErrorInfo): void {
    const lane = this.#lanes.get(laneKey(to));
    for (const id of [...(lane?.queue ?? [])]) this.#fail(id, error);
  }

  /** It waits for the user from now on. */
  #fail(localId: number, error: ErrorInfo): void {
    const item = this.#remove(localId);
    if (!item) return;
    const failed = { ...item, error };
    this.#failed.set(localId, failed);
    this.#outputs.save({ type: 'queued', item: failed });
    this.report(localId);
    this.#outputs.push({ type: 'status', localId, status: { type: 'failed', error } });
  }

  /** Takes a send back that has not left and can't have arrived. Returns whether it did. */
  abort(localId: number): boolean {
    const lane = this.#laneOf(localId);
    if (!lane) return false;
    const mayHaveLeft = (lane.inFlight || lane.unanswered) && lane.queue[0] === localId;
    const item = mayHaveLeft ? undefined : this.#remove(localId);
    if (item) this.#end(item, { type: 'aborted' });
    return item !== undefined;
  }

  /** Takes a refused send out. Returns it, if there is one. */
  discard(localId: number): StoredItem | undefined {
    const item = this.#failed.get(localId);
    this.#failed.delete(localId);
    if (item) this.#done(item);
    return item;
  }

  #end(item: StoredItem, status: Ended): void {
    this.#done(item, status.type === 'sent' ? status.sent : undefined);
    this.#outputs.push({ type: 'status', localId: item.localId, status });
  }

  /** A send is no longer in the outbox. */
  #done({ localId, clientMessageId }: StoredItem, sent?: Sent): void {
    this.#outputs.save({ type: 'done', localId });
    this.#outputs.emit({ type: 'outboxDone', localId, clientMessageId, sent });
  }

  #remove(localId: number): StoredItem | undefined {
    const item = this.#items.get(localId);
    const lane = this.#laneOf(localId);
    this.#items.delete(localId);
    if (item && lane) {
      lane.queue = lane.queue.filter((id) => id !== localId);
      if (lane.queue.length === 0) this.#lanes.delete(laneKey(item.to));
    }
    return item;
  }

  /** When the first parked lane may go again. */
  deadline(nowMs: number): number {
    let at = NEVER;
    for (const { parkedUntilMs } of this.#lanes.values()) {
      if (parkedUntilMs > nowMs) at = Math.min(at, parkedUntilMs);
    }
    return at;
  }

  /** Nothing new is taken, and the client ends at the latest then. */
  startDrain(untilMs: number): void {
    this.#drainUntilMs = untilMs;
  }

  get isDraining(): boolean {
    return this.#drainUntilMs !== undefined;
  }

  /** When the drain ends at the latest. */
  drainDeadline(): number {
    return this.#drainUntilMs ?? NEVER;
  }

  /** The client is over: a drain hears how many sends are left. */
  endDrain(): void {
    if (this.isDraining) this.#outputs.push({ type: 'drained', left: this.size });
    this.#drainUntilMs = undefined;
  }

  /** The connection is gone: what was on its way goes again. */
  endSession(): void {
    for (const lane of this.#lanes.values()) {
      lane.unanswered ||= lane.inFlight;
      lane.inFlight = false;
    }
  }
}
