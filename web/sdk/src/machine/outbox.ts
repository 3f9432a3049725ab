/**
 * What was sent and is not answered yet.
 *
 * One lane for each target. A lane has at most one send on its way, so that a
 * refusal can't let a later message overtake an earlier one; lanes go side by
 * side. A send without an answer goes out again after a reconnect with the same
 * client message id. A recoverable refusal parks its lane, an unrecoverable one
 * takes only its item out of it. Bounds are the caller's.
 */

import type { To } from '../actions.ts';
import { type ErrorInfo, verdict } from '../error.ts';
import type { StoredItem } from '../store.ts';
import { type Backoff, backoffMs, type Tick } from './connect.ts';

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

/** A target as text; the same text is the same lane. */
export function laneKey(to: To): string {
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
  /** By local id, in order. */
  private items = new Map<number, StoredItem>();
  /** In turn: the lane that was served goes to the end. */
  private lanes = new Map<string, Lane>();

  get size(): number {
    return this.items.size;
  }

  get(localId: number): StoredItem | undefined {
    return this.items.get(localId);
  }

  all(): StoredItem[] {
    return [...this.items.values()].sort((a, b) => a.localId - b.localId);
  }

  isOnItsWay(localId: number): boolean {
    const item = this.items.get(localId);
    const lane = item && this.lanes.get(laneKey(item.to));
    return lane?.inFlight === true && lane.queue[0] === localId;
  }

  push(item: StoredItem): void {
    this.items.set(item.localId, item);
    this.lane(item.to).queue.push(item.localId);
  }

  private lane(to: To): Lane {
    const key = laneKey(to);
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = { to, queue: [], inFlight: false, unanswered: false, parkedUntilMs: 0, refusals: 0 };
      this.lanes.set(key, lane);
    }
    return lane;
  }

  /**
   * The next item to put on the wire, now on its way. An item waits while an
   * earlier one has a target that may turn out to be the same conversation: a
   * name not looked up yet, a user whose conversation is not known when
   * `isKnown` does not say who is in this one, and the reverse.
   */
  next(nowMs: number, isKnown: (conversation: string) => boolean): StoredItem | undefined {
    let name = Number.POSITIVE_INFINITY;
    let user = Number.POSITIVE_INFINITY;
    let unknown = Number.POSITIVE_INFINITY;
    for (const { to, queue } of this.lanes.values()) {
      const head = queue[0] ?? Number.POSITIVE_INFINITY;
      if (to.type === 'name') name = Math.min(name, head);
      else if (to.type === 'user') user = Math.min(user, head);
      else if (to.type === 'conversation' && !isKnown(to.conversation)) {
        unknown = Math.min(unknown, head);
      }
    }
    for (const [key, lane] of this.lanes) {
      const { to } = lane;
      const head = lane.queue[0];
      if (head === undefined || lane.inFlight || lane.parkedUntilMs > nowMs) continue;
      if (to.type === 'name') continue;
      if (to.type === 'user' && (name < head || unknown < head)) continue;
      if (to.type === 'conversation') {
        if (name < head || (user < head && !isKnown(to.conversation))) continue;
      }
      lane.inFlight = true;
      this.lanes.delete(key);
      this.lanes.set(key, lane);
      return this.items.get(head);
    }
    return undefined;
  }

  /** Names that have to be looked up before their lanes can move. */
  unresolved(): string[] {
    const names: string[] = [];
    for (const { to } of this.lanes.values()) if (to.type === 'name') names.push(to.name);
    return names;
  }

  /** Two targets turned out to be the same: their lanes become one, in the order of queueing. */
  join(from: To, to: To): void {
    if (laneKey(from) === laneKey(to)) return;
    const old = this.lanes.get(laneKey(from));
    if (!old) return;
    this.lanes.delete(laneKey(from));
    const lane = this.lane(to);
    lane.queue = [...lane.queue, ...old.queue].sort((a, b) => a - b);
    for (const id of old.queue) {
      const item = this.items.get(id);
      if (item) this.items.set(id, { ...item, to });
    }
    lane.inFlight ||= old.inFlight;
    lane.unanswered ||= old.unanswered;
    lane.parkedUntilMs = Math.max(lane.parkedUntilMs, old.parkedUntilMs);
    lane.refusals = Math.max(lane.refusals, old.refusals);
  }

  /** The server committed it. */
  handleSent(localId: number): StoredItem | undefined {
    this.answered(localId);
    return this.remove(localId);
  }

  /**
   * The server refused it. Gives the item when it is out, and nothing when it
   * stays at the head of its lane and goes again.
   */
  handleFailure(
    tick: Tick,
    localId: number,
    error: ErrorInfo,
    backoff: Backoff,
  ): StoredItem | undefined {
    const item = this.items.get(localId);
    const lane = item && this.lanes.get(laneKey(item.to));
    if (!lane) return undefined;
    lane.inFlight = false;
    const retry = error.code === undefined ? 'retry_after' : verdict(error.code);
    if (retry === 'stop') {
      this.answered(localId);
      return this.remove(localId);
    }
    // "Now" is taken at its word once; then it waits like the others.
    const atOnce = retry === 'retry_now' && lane.refusals === 0;
    const waitMs = atOnce ? 0 : backoffMs(backoff, lane.refusals, tick.random, error.retryAfterMs);
    lane.refusals++;
    lane.parkedUntilMs = tick.nowMs + waitMs;
    return undefined;
  }

  private answered(localId: number): void {
    const item = this.items.get(localId);
    const lane = item && this.lanes.get(laneKey(item.to));
    if (!lane) return;
    lane.inFlight = false;
    lane.unanswered = false;
    lane.refusals = 0;
  }

  /** The target can't be reached: everything for it is out. */
  failLane(to: To): StoredItem[] {
    const out: StoredItem[] = [];
    for (const id of [...(this.lanes.get(laneKey(to))?.queue ?? [])]) {
      const item = this.remove(id);
      if (item) out.push(item);
    }
    return out;
  }

  /** Takes an item back that has not left and can't have arrived. */
  abort(localId: number): StoredItem | undefined {
    const item = this.items.get(localId);
    const lane = item && this.lanes.get(laneKey(item.to));
    if (!lane) return undefined;
    const mayHaveLeft = (lane.inFlight || lane.unanswered) && lane.queue[0] === localId;
    return mayHaveLeft ? undefined : this.remove(localId);
  }

  /** The connection is gone: what was on its way goes again. */
  handleDisconnected(): void {
    for (const lane of this.lanes.values()) {
      lane.unanswered ||= lane.inFlight;
      lane.inFlight = false;
    }
  }

  /** When the first parked lane may go again. */
  deadline(nowMs: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const lane of this.lanes.values()) {
      if (lane.parkedUntilMs > nowMs) at = Math.min(at, lane.parkedUntilMs);
    }
    return at;
  }

  private remove(localId: number): StoredItem | undefined {
    const item = this.items.get(localId);
    if (!item) return undefined;
    this.items.delete(localId);
    const lane = this.lanes.get(laneKey(item.to));
    if (lane) {
      lane.queue = lane.queue.filter((id) => id !== localId);
      if (lane.queue.length === 0) this.lanes.delete(laneKey(item.to));
    }
    return item;
  }
}
