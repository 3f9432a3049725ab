/**
 * Owns a client's machine with its transport and store.
 *
 * It gives the machine what comes from the application, the transport and the
 * clock, and does what the machine says. What must be durable is committed
 * before anybody hears of it, and before it leaves.
 */

import { decode, encode } from '../codec.ts';
import { closed, type ErrorInfo, ParleyError, problem } from '../error.ts';
import * as wire from '../gen/wire.ts';
import { fromHex } from '../ids.ts';
import { type Call, startCall } from '../machine/calls.ts';
import type { Tick } from '../machine/connect.ts';
import { handleEnvelope } from '../machine/inbound.ts';
import type { Effect, Machine } from '../machine/machine.ts';
import { pollTransmit } from '../machine/outbound.ts';
import type { ClientOptions } from '../options.ts';
import type { Save, StoredItem } from '../store.ts';
import type { Event, Listener, Sent } from '../types.ts';
import { Dialer } from './dial.ts';
import { listen, steadyClock, thisPage } from './hooks.ts';
import type { Connection } from './transport.ts';

/** Positions and cached entries reach the store within this time; a restart after a crash fetches what is younger. */
const SAVE_WITHIN_MS = 200;

/** Bytes that may wait in the transport before no more is made. */
const BUFFERED_BYTES = 512 * 1024;

/** How often a full transport is looked at. */
const FULL_MS = 50;

/** The longest timer that browsers take, and then some to spare. */
const FAR_MS = 1_000_000_000;

/** Ends of sends that are remembered for those who ask late. */
const ENDS = 4_096;

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: ParleyError): void;
}

export class Driver {
  readonly listeners = new Set<Listener>();
  private readonly nowMs: () => number;
  private readonly dialer: Dialer;
  private connection: Connection | undefined;
  private attempt: AbortController | undefined;
  private readonly calls = new Map<number, Waiter<unknown>>();
  private lastCall = 0;
  private readonly committing = new Map<number, Waiter<Sent>[]>();
  private readonly ends = new Map<number, Sent | ErrorInfo>();
  private readonly drains: ((left: number) => void)[] = [];
  /** New sends whose callers wait for the store. */
  private queued = new Map<number, Waiter<void>>();
  private saves: Save[] = [];
  private saveAtMs = Number.POSITIVE_INFINITY;
  private fullUntilMs = Number.POSITIVE_INFINITY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pumping: Promise<void> | undefined;
  private pumpAgain = false;
  private readonly stopListening: () => void;

  constructor(
    private readonly options: ClientOptions,
    readonly machine: Machine,
  ) {
    this.nowMs = options.steadyMs ?? steadyClock(options.wallMs);
    this.dialer = new Dialer(options, this.nowMs);
    const page = options.page ?? thisPage();
    const hooks = {
      wake: () =>
        this.input((tick) => {
          this.machine.hurry(tick);
          this.machine.probe(tick);
        }),
      offline: () => this.input((tick) => this.machine.probe(tick)),
      visible: (visible: boolean) => {
        if (options.followVisibility === false) return;
        this.input((tick) => this.machine.setBackground(tick, !visible));
      },
    };
    this.stopListening = page ? listen(page, hooks) : () => {};
  }

  tick(): Tick {
    const { wallMs = Date.now, random = Math.random } = this.options;
    return { nowMs: Math.floor(this.nowMs()), wallMs: wallMs(), random: random() };
  }

  /** Gives the machine an input and does what follows. */
  input<T>(act: (tick: Tick) => T): T {
    const result = act(this.tick());
    void this.pump();
    return result;
  }

  call<T>(call: Call): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.lastCall;
      this.calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.input((tick) => startCall(this.machine, tick, id, call));
    });
  }

  /** Resolves when a new send is in the store. */
  async queue(make: (tick: Tick) => StoredItem): Promise<StoredItem> {
    const item = make(this.tick());
    const durable = this.options.store
      ? new Promise<void>((resolve, reject) => {
          this.queued.set(item.localId, { resolve, reject });
        })
      : undefined;
    void this.pump();
    await durable;
    return item;
  }

  /** Resolves when a send is committed. */
  committed(localId: number): Promise<Sent> {
    const end = this.ends.get(localId);
    if (end) {
      if ('seq' in end) return Promise.resolve(end);
      return Promise.reject(new ParleyError(end));
    }
    const { outbox, failed, connect } = this.machine;
    const refused = failed.get(localId)?.error;
    if (refused) return Promise.reject(new ParleyError(refused));
    if (connect.isClosed) return Promise.reject(new ParleyError(closed()));
    if (!outbox.get(localId)) {
      const text = 'there is no such send any more';
      return Promise.reject(new ParleyError(problem('invalidArgument', text)));
    }
    return new Promise((resolve, reject) => {
      const waiters = this.committing.get(localId) ?? [];
      this.committing.set(localId, [...waiters, { resolve, reject }]);
    });
  }

  drain(patienceMs: number): Promise<number> {
    if (this.machine.connect.isClosed) return Promise.resolve(this.machine.outbox.size);
    return new Promise((resolve) => {
      this.drains.push(resolve);
      this.input((tick) => this.machine.drain(tick, patienceMs));
    });
  }

  /** Resolves when nothing is being done, and what had to be kept is. */
  async settled(): Promise<void> {
    while (this.pumping) await this.pumping;
    await this.pump();
  }

  /** Does everything the machine wants, until it wants nothing more now. */
  private pump(): Promise<void> {
    this.pumpAgain = true;
    if (this.pumping) return this.pumping;
    let done = () => {};
    this.pumping = new Promise((resolve) => {
      done = resolve;
    });
    return this.run().finally(done);
  }

  private async run(): Promise<void> {
    try {
      while (this.pumpAgain) {
        this.pumpAgain = false;
        this.saves.push(...this.machine.takeSaves());
        if (this.mustCommit()) await this.commit();
        // More may have come meanwhile, which must be kept before it is acted on.
        if (this.pumpAgain) continue;
        for (const effect of this.machine.takeEffects()) this.act(effect);
        this.transmit();
      }
    } finally {
      this.pumping = undefined;
    }
    this.schedule();
  }

  private mustCommit(): boolean {
    if (!this.options.store || this.saves.length === 0) return false;
    if (this.saveAtMs === Number.POSITIVE_INFINITY) this.saveAtMs = this.nowMs() + SAVE_WITHIN_MS;
    const urgent = this.saves.some((save) => save.type === 'queued' || save.type === 'account');
    return urgent || this.saveAtMs <= this.nowMs() || this.machine.connect.isClosed;
  }

  private async commit(): Promise<void> {
    const { saves, queued } = this;
    this.saves = [];
    this.queued = new Map();
    this.saveAtMs = Number.POSITIVE_INFINITY;
    try {
      await this.options.store?.commit(saves);
      for (const waiter of queued.values()) waiter.resolve();
    } catch (thrown) {
      const text = thrown instanceof Error ? thrown.name : 'failed';
      const error = new ParleyError(problem('store', `the store can't be written: ${text}`));
      // What is not kept was not taken.
      for (const [localId, waiter] of queued) {
        this.machine.abort(localId);
        waiter.reject(error);
      }
      this.options.onError?.(error);
    }
  }

  private act(effect: Effect): void {
    switch (effect.type) {
      case 'dial':
        void this.dial();
        break;
      case 'signIn':
        void this.signIn();
        break;
      case 'hangup':
        this.hangUp();
        break;
      case 'emit':
        this.emit(effect.event);
        break;
      case 'reply':
        this.calls.get(effect.call)?.resolve(effect.value);
        this.calls.delete(effect.call);
        break;
      case 'refuse':
        this.calls.get(effect.call)?.reject(new ParleyError(effect.error));
        this.calls.delete(effect.call);
        break;
      case 'committed':
        this.end(effect.localId, effect.sent);
        break;
      case 'undone':
        this.end(effect.localId, effect.error);
        break;
      case 'drained':
        for (const resolve of this.drains.splice(0)) resolve(effect.left);
    }
  }

  private end(localId: number, end: Sent | ErrorInfo): void {
    this.ends.set(localId, end);
    for (const oldest of this.ends.keys()) {
      if (this.ends.size <= ENDS) break;
      this.ends.delete(oldest);
    }
    for (const waiter of this.committing.get(localId) ?? []) {
      if ('seq' in end) waiter.resolve(end);
      else waiter.reject(new ParleyError(end));
    }
    this.committing.delete(localId);
  }

  private emit(event: Event): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(event);
      } catch (thrown) {
        // A listener's failure is its own; the others and the client go on.
        setTimeout(() => {
          throw thrown;
        });
      }
    }
    if (event.type === 'state' && event.state.type === 'closed') this.shutDown();
  }

  private shutDown(): void {
    this.stopListening();
    clearTimeout(this.timer);
    for (const waiters of this.committing.values()) {
      for (const { reject } of waiters) reject(new ParleyError(closed()));
    }
    this.committing.clear();
  }

  private transmit(): void {
    const { connection, machine } = this;
    this.fullUntilMs = Number.POSITIVE_INFINITY;
    if (!connection) return;
    const nowMs = Math.floor(this.nowMs());
    while (connection === this.connection) {
      if (connection.bufferedBytes > BUFFERED_BYTES) {
        this.fullUntilMs = nowMs + FULL_MS;
        return;
      }
      const envelope = pollTransmit(machine, nowMs);
      if (!envelope) break;
      connection.send(encode(wire.ClientEnvelope, envelope));
    }
    // What left is worth an event: a send is on its way.
    for (const effect of machine.takeEffects()) this.act(effect);
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const { machine } = this;
    if (machine.connect.isClosed) return;
    const nowMs = Math.floor(this.nowMs());
    const at = Math.min(machine.deadline(nowMs), this.saveAtMs, this.fullUntilMs);
    if (at === Number.POSITIVE_INFINITY) return;
    // Rounded up, so that the machine's millisecond has passed.
    const waitMs = Math.min(Math.max(0, Math.ceil(at - nowMs)), FAR_MS);
    this.timer = setTimeout(() => {
      this.input((tick) => {
        if (machine.deadline(tick.nowMs) <= tick.nowMs) machine.handleTimeout(tick);
      });
    }, waitMs);
  }

  private async dial(): Promise<void> {
    const attempt = this.begin();
    let connection: Connection | undefined;
    const receiver = {
      handleFrame: (bytes: Uint8Array) => {
        if (connection === this.connection && connection) this.handleFrame(bytes);
      },
      handleEnd: (error: ErrorInfo) => {
        if (connection === this.connection && connection) this.lose(error);
      },
    };
    try {
      const dialed = await this.dialer.dial(receiver, attempt.signal);
      if (attempt.signal.aborted) {
        dialed.connection.close();
        return;
      }
      this.attempt = undefined;
      ({ connection } = dialed);
      this.connection = connection;
      const { fellBack } = dialed;
      if (fellBack) this.emit({ type: 'fellBack', ...fellBack, error: fellBack.error.info });
      this.input((tick) => this.machine.handleConnected(tick, dialed.connection.transport));
    } catch (thrown) {
      if (!attempt.signal.aborted) this.lose(ParleyError.from(thrown).info);
    }
  }

  private begin(): AbortController {
    this.attempt?.abort();
    this.attempt = new AbortController();
    return this.attempt;
  }

  private async signIn(): Promise<void> {
    const attempt = this.begin();
    const { auth } = this.options;
    try {
      const text = 'getToken' in auth ? await auth.getToken() : '';
      const token = fromHex(text);
      if (attempt.signal.aborted) return;
      if (token?.length !== 32) {
        throw new ParleyError(problem('signIn', 'a token is written as 64 hex digits'));
      }
      this.input((tick) => this.machine.handleToken(tick, token));
    } catch (thrown) {
      if (!attempt.signal.aborted) this.lose(ParleyError.from(thrown).info);
    }
  }

  private handleFrame(bytes: Uint8Array): void {
    let envelope: wire.ServerEnvelope;
    try {
      envelope = decode(wire.ServerEnvelope, bytes);
    } catch {
      this.lose(problem('protocol', 'the server sent something that is no envelope'));
      return;
    }
    this.input((tick) => handleEnvelope(this.machine, tick, envelope));
  }

  /** The connection, or the attempt to get one, came to an end. */
  private lose(error: ErrorInfo): void {
    this.connection?.close();
    this.connection = undefined;
    this.input((tick) => this.machine.handleFailure(tick, error));
  }

  private hangUp(): void {
    this.attempt?.abort();
    this.attempt = undefined;
    const { connection } = this;
    this.connection = undefined;
    if (!connection) return;
    try {
      connection.send(
        encode(wire.ClientEnvelope, { request: 0, kind: { case: 'goodbye', value: {} } }),
      );
    } catch {
      // It is no longer open: nobody listens.
    }
    connection.close();
  }
}
