/**
 * The connection's phases, and when to try again.
 *
 * Pure: every method takes the time and returns the one step that has to be done
 * next. Waits have full jitter and go on for ever. What ends the client for
 * good: a refused sign-in, a token that is refused although it is new, and
 * every close code of class "stop".
 */

import { type ErrorInfo, problem, verdict } from '../error.ts';
import type { TransportName } from '../types.ts';

/** The time and chance, given with every input. */
export interface Tick {
  /** Milliseconds since any fixed moment; never goes back. */
  readonly nowMs: number;
  /** The device's clock, Unix milliseconds. */
  readonly wallMs: number;
  /** Uniform from 0 to 1, without 1; new for every input. */
  readonly random: number;
}

/** How to wait between attempts: a random part of `baseMs`, doubled up to `maxMs`. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** How long a transport may take from being open to `Welcome`. */
export const HANDSHAKE_MS = 10_000;

/** A session that lived this long makes the next backoff start over. */
const SETTLED_MS = 5_000;

export type Phase =
  | { readonly type: 'idle' | 'signingIn' | 'connecting' }
  | { readonly type: 'handshaking'; readonly untilMs: number }
  | { readonly type: 'ready'; readonly sinceMs: number; readonly moveAtMs?: number }
  | { readonly type: 'waiting'; readonly untilMs: number; readonly error: ErrorInfo }
  | { readonly type: 'closed'; readonly error?: ErrorInfo | undefined };

/** `wait` drops the transport and waits for the timer, `redial` drops it and dials at once. */
export type Step = 'nothing' | 'signIn' | 'dial' | 'wait' | 'redial' | 'close';

export class Connect {
  readonly #backoff: Backoff;
  readonly #canSignIn: boolean;
  #phase: Phase = { type: 'idle' };
  #hasToken: boolean;
  #token: Uint8Array | undefined;
  /** The token came from a sign-in and no session has used it yet. */
  #tokenIsNew = false;
  /** A token took the place of another, and no session has used it yet. */
  #tokenWasReplaced = false;
  /** Attempts since the last settled session. */
  #attempt = 0;
  #transport: TransportName | undefined;
  #helloDue = false;

  /** `canSignIn`: whether a callback can get a new token. */
  constructor(backoff: Backoff, hasToken: boolean, canSignIn: boolean) {
    this.#backoff = backoff;
    this.#hasToken = hasToken;
    this.#canSignIn = canSignIn;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The transport that is open. */
  get transport(): TransportName | undefined {
    return this.#transport;
  }

  /** The token for the next hello. */
  get token(): Uint8Array | undefined {
    return this.#token;
  }

  get isReady(): boolean {
    return this.phase.type === 'ready';
  }

  get isHandshaking(): boolean {
    return this.phase.type === 'handshaking';
  }

  get isClosed(): boolean {
    return this.phase.type === 'closed';
  }

  /** Begins, or begins the next attempt. */
  start(): Step {
    this.#phase = { type: this.#hasToken ? 'connecting' : 'signingIn' };
    return this.#hasToken ? 'dial' : 'signIn';
  }

  /** The token for the next hello; a sign-in that waits for it goes on. */
  handleToken(token: Uint8Array): Step {
    const replaced = this.#token !== undefined;
    this.#token = token;
    if (this.phase.type !== 'signingIn') {
      this.#tokenWasReplaced ||= replaced;
      return 'nothing';
    }
    this.#hasToken = true;
    this.#tokenIsNew = true;
    return this.start();
  }

  /** A sign-in, a dial, the handshake or the session failed. */
  handleFailure(tick: Tick, error: ErrorInfo): Step {
    const { phase } = this;
    if (phase.type === 'closed') return 'nothing';
    if (phase.type === 'ready' && tick.nowMs - phase.sinceMs >= SETTLED_MS) this.#attempt = 0;
    const retry = error.code === undefined ? undefined : verdict(error.code);
    // It may have been the old token that was refused.
    const stale = this.#tokenWasReplaced && phase.type !== 'signingIn';
    if (retry === 'sign_in' && stale) this.#tokenWasReplaced = false;
    else if (retry === 'sign_in') {
      if (phase.type === 'signingIn' || this.#tokenIsNew || !this.#canSignIn)
        return this.close(error);
      this.#hasToken = false;
      this.#phase = { type: 'signingIn' };
      return 'signIn';
    }
    const fatal = error.kind === 'invalidArgument' || error.kind === 'signIn';
    if (retry === 'stop' || (!retry && fatal)) return this.close(error);
    const waitMs = backoffMs(this.#backoff, this.#attempt, tick.random, error.retryAfterMs);
    this.#attempt++;
    this.#phase = { type: 'waiting', untilMs: tick.nowMs + waitMs, error };
    return 'wait';
  }

  handleConnected(nowMs: number, transport: TransportName): void {
    if (this.phase.type === 'connecting') {
      this.#phase = { type: 'handshaking', untilMs: nowMs + HANDSHAKE_MS };
    }
    this.#transport = transport;
    this.#helloDue = this.isHandshaking;
  }

  /** Whether a hello is due, which is then taken as made. */
  takeHello(): boolean {
    const due = this.#helloDue && this.isHandshaking;
    if (due) this.#helloDue = false;
    return due;
  }

  handleWelcome(nowMs: number): void {
    this.#phase = { type: 'ready', sinceMs: nowMs };
    this.#tokenIsNew = false;
    this.#tokenWasReplaced = false;
  }

  /** The server will close soon: move at a random moment within that time. */
  handleDrain(tick: Tick, withinMs: number): void {
    if (this.phase.type !== 'ready') return;
    const within = Math.min(Math.max(withinMs, 1), 3_600_000);
    this.#phase = { ...this.phase, moveAtMs: tick.nowMs + Math.floor(tick.random * within) };
  }

  /** A new connection is wanted now. */
  forceReconnect(): Step {
    switch (this.phase.type) {
      case 'handshaking':
      case 'ready':
      case 'connecting':
        this.#phase = { type: 'connecting' };
        return 'redial';
      case 'waiting':
        return this.start();
      default:
        return 'nothing';
    }
  }

  close(error?: ErrorInfo): Step {
    if (this.isClosed) return 'nothing';
    this.#phase = { type: 'closed', error };
    return 'close';
  }

  /** The transport is gone. */
  endSession(): void {
    this.#helloDue = false;
    this.#transport = undefined;
  }

  deadline(): number {
    switch (this.phase.type) {
      case 'handshaking':
      case 'waiting':
        return this.phase.untilMs;
      case 'ready':
        return this.phase.moveAtMs ?? Number.POSITIVE_INFINITY;
      default:
        return Number.POSITIVE_INFINITY;
    }
  }

  handleTimeout(tick: Tick): Step {
    if (this.deadline() > tick.nowMs) return 'nothing';
    switch (this.phase.type) {
      case 'handshaking':
        return this.handleFailure(tick, problem('timeout', 'the server did not answer the hello'));
      case 'waiting':
        return this.start();
      default:
        this.#phase = { type: 'connecting' };
        return 'redial';
    }
  }
}

/**
 * A random part of `base * 2^attempt`, at most of `max`; on top of what the
 * server asked for, so that many clients don't come back at the same moment.
 */
export function backoffMs(
  backoff: Backoff,
  attempt: number,
  random: number,
  retryAfterMs = 0,
): number {
  const bound = Math.min(backoff.baseMs * 2 ** attempt, backoff.maxMs);
  // A server can't send a client away for more than an hour.
  return Math.min(retryAfterMs, 3_600_000) + Math.floor(random * (bound + 1));
}
