/**
 * What the machine wants of its driver: things to do, in order, and changes
 * that a store has to keep.
 */

import type { ErrorInfo } from '../error.ts';
import type { Save } from '../store.ts';
import type { Event, SendStatus, State } from '../types.ts';

/** How a send can end. */
export type Ended = Extract<SendStatus, { type: 'sent' | 'failed' | 'aborted' }>;

/**
 * What the driver has to do. The Rust SDK has `Stalled` (for a log, of which
 * there is none here) and `Untrack` (for handles that are told every step; here
 * the events `outbox` and `progress` tell them) besides.
 */
export type Output =
  /** Get a token, then `handleToken` or `handleFailure`. */
  | { readonly type: 'signIn' }
  /** Open a transport, then `handleConnected` or `handleFailure`. */
  | { readonly type: 'dial' }
  /** Say goodbye and drop the transport, or stop opening one. */
  | { readonly type: 'hangup' }
  /** The connection changed state. */
  | { readonly type: 'state'; readonly state: State }
  | { readonly type: 'emit'; readonly event: Event }
  /** Answer a call; with an error it failed. */
  | {
      readonly type: 'reply';
      readonly call: number;
      readonly value?: unknown;
      readonly error?: ErrorInfo;
    }
  /** A send is over. */
  | { readonly type: 'status'; readonly localId: number; readonly status: Ended }
  /** The drain is over; so many sends were left. */
  | { readonly type: 'drained'; readonly left: number };

export class Outputs {
  #queue: Output[] = [];
  #saves: Save[] = [];
  #state: State = { type: 'idle' };

  /** `keeps`: whether there is a store. */
  constructor(readonly keeps: boolean) {}

  /** The state as last reported. */
  get state(): State {
    return this.#state;
  }

  push(output: Output): void {
    this.#queue.push(output);
  }

  emit(event: Event): void {
    this.push({ type: 'emit', event });
  }

  report(state: State): void {
    this.#state = state;
    this.push({ type: 'state', state });
  }

  save(save: Save): void {
    if (this.keeps) this.#saves.push(save);
  }

  /** The application hears what the store keeps. */
  saveAndEmit(change: Save & Event): void {
    this.save(change);
    this.emit(change);
  }

  /** The next thing to do. */
  poll(): Output | undefined {
    return this.#queue.shift();
  }

  /** The changes since the last call. */
  takeSaves(): Save[] {
    const saves = this.#saves;
    this.#saves = [];
    return saves;
  }
}
