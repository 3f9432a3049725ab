/**
 * Owns a client's machine with its transport and store.
 *
 * It passes on to the machine what comes from the application, the transport and the
 * clock, and does what the machine puts out. What must be durable is committed
 * before anybody hears of it, and before it leaves.
 */

import { decode, encode } from '../codec.ts';
import { closed, type ErrorInfo, ParleyError, problem } from '../error.ts';
import * as wire from '../gen/wire.ts';
import { fromHex } from '../ids.ts';
import type { Call } from '../machine/calls.ts';
import type { Tick } from '../machine/connect.ts';
import type { Machine } from '../machine/machine.ts';
import type { Ended, Output } from '../machine/outputs.ts';
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
  readonly #nowMs: () => number;
  readonly #dialer: Dialer;
  #connection: Connection | undefined;
  #attempt: AbortController | undefined;
  readonly #calls = new Map<number, Waiter<unknown>>();
  #lastCall = 0;
  readonly #committing = new Map<number, Waiter<Sent>[]>();
  readonly #ends = new Map<number, Ended>();
  readonly #drains: ((left: number) => void)[] = [];
  /** New sends whose callers wait for the store. */
  #queued = new Map<number, Waiter<void>>();
  #saves: Save[] = [];
  #saveAtMs = Number.POSITIVE_INFINITY;
  #fullUntilMs = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pumping: Promise<void> | undefined;
  #pumpAgain = false;
  readonly #stopListening: () => void;

  constructor(
    private readonly options: ClientOptions,
    readonly machine: Machine,
  ) {
    this.#nowMs = options.steadyMs ?? steadyClock(options.wallMs);
    this.#dialer = new Dialer(options, this.#nowMs);
    const page = options.page ?? thisPage();
    const hooks = {
      wake: () =>
        this.input((tick) => {
          this.machine.endWait(tick);
          this.machine.probe(tick);
        }),
      offline: () => this.input((tick) => this.machine.probe(tick)),
      visible: (visible: boolean) => {
        if (options.followVisibility === false) return;
        this.input((tick) => this.machine.setBackground(tick, !visible));
      },
    };
    this.#stopListening = page ? listen(page, hooks) : () => {};
  }

  tick(): Tick {
    const { random = Math.random } = this.options;
    return { nowMs: Math.floor(this.#nowMs()), wallMs: this.wallMs(), random: random() };
  }

  /** The device's clock. */
  wallMs(): number {
    return (this.options.wallMs ?? Date.now)();
  }

  /** Makes an input to the machine and does what follows. */
  input<T>(act: (tick: Tick) => T): T {
    const result = act(this.tick());
    void this.#pump();
    return result;
  }

  call<T>(call: Call): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastCall;
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.input((tick) => this.machine.call(tick, id, call));
    });
  }

  /** Resolves when a new send is in the store. */
  async queue(make: (tick: Tick) => StoredItem): Promise<StoredItem> {
    const item = make(this.tick());
    const durable = this.options.store
      ? new Promise<void>((resolve, reject) => {
          this.#queued.set(item.localId, { resolve, reject });
        })
      : undefined;
    void this.#pump();
    await durable;
    return item;
  }

  /** Resolves when a send is committed. */
  committed(localId: number): Promise<Sent> {
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      const end = this.#ends.get(localId);
      const item = this.machine.item(localId);
      if (end) tellEnd(waiter, end);
      else if (item?.error) reject(new ParleyError(item.error));
      else if (this.machine.isClosed) reject(new ParleyError(closed()));
      else if (item) {
        this.#committing.set(localId, [...(this.#committing.get(localId) ?? []), waiter]);
      } else {
        reject(new ParleyError(problem('invalidArgument', 'there is no such send any more')));
      }
    });
  }

  drain(patienceMs: number): Promise<number> {
    if (this.machine.isClosed) return Promise.resolve(this.machine.queued);
    return new Promise((resolve) => {
      this.#drains.push(resolve);
      this.input((tick) => this.machine.drain(tick, patienceMs));
    });
  }

  /** Resolves when nothing is being done, and what had to be kept is. */
  async settled(): Promise<void> {
    while (this.#pumping) await this.#pumping;
    await this.#pump();
  }

  /** Does everything the machine wants, until it wants nothing more now. */
  #pump(): Promise<void> {
    this.#pumpAgain = true;
    if (this.#pumping) return this.#pumping;
    let done = () => {};
    this.#pumping = new Promise((resolve) => {
      done = resolve;
    });
    return this.#run().finally(done);
  }

  async #run(): Promise<void> {
    try {
      while (this.#pumpAgain) {
        this.#pumpAgain = false;
        this.#saves.push(...this.machine.takeSaves());
        if (this.#mustCommit()) await this.#commit();
        // More may have come meanwhile, which must be kept before it is acted on.
        if (this.#pumpAgain) continue;
        this.#doOutputs();
        if (!this.#pumpAgain) this.#transmit();
      }
    } finally {
      this.#pumping = undefined;
    }
    this.#schedule();
  }

  #mustCommit(): boolean {
    if (!this.options.store || this.#saves.length === 0) return false;
    if (this.#saveAtMs === Number.POSITIVE_INFINITY)
      this.#saveAtMs = this.#nowMs() + SAVE_WITHIN_MS;
    const urgent = this.#saves.some((save) => save.type === 'queued' || save.type === 'account');
    return urgent || this.#saveAtMs <= this.#nowMs() || this.machine.isClosed;
  }

  async #commit(): Promise<void> {
    const saves = this.#saves;
    const queued = this.#queued;
    this.#saves = [];
    this.#queued = new Map();
    this.#saveAtMs = Number.POSITIVE_INFINITY;
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

  /** Does what the machine put out, until an input comes of it: what that changes is kept first. */
  #doOutputs(): void {
    while (!this.#pumpAgain) {
      const output = this.machine.pollOutput();
      if (!output) return;
      this.#act(output);
    }
  }

  #act(output: Output): void {
    switch (output.type) {
      case 'dial':
        void this.#dial();
        break;
      case 'signIn':
        void this.#signIn();
        break;
      case 'hangup':
        this.#hangUp();
        break;
      case 'state':
        this.#emit({ type: 'state', state: output.state });
        if (output.state.type === 'closed') this.#shutDown();
        break;
      case 'emit':
        this.#emit(output.event);
        break;
      case 'reply':
        this.#reply(output);
        break;
      case 'status':
        this.#end(output.localId, output.status);
        break;
      case 'drained':
        for (const resolve of this.#drains.splice(0)) resolve(output.left);
    }
  }

  #reply({ call, value, error }: Extract<Output, { type: 'reply' }>): void {
    const waiter = this.#calls.get(call);
    this.#calls.delete(call);
    if (error) waiter?.reject(new ParleyError(error));
    else waiter?.resolve(value);
  }

  #end(localId: number, end: Ended): void {
    this.#ends.set(localId, end);
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= ENDS) break;
      this.#ends.delete(oldest);
    }
    for (const waiter of this.#committing.get(localId) ?? []) tellEnd(waiter, end);
    this.#committing.delete(localId);
  }

  #emit(event: Event): void {
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
  }

  #shutDown(): void {
    this.#stopListening();
    clearTimeout(this.#timer);
    for (const waiters of this.#committing.values()) {
      for (const { reject } of waiters) reject(new ParleyError(closed()));
    }
    this.#committing.clear();
  }

  #transmit(): void {
    const { machine } = this;
    const connection = this.#connection;
    this.#fullUntilMs = Number.POSITIVE_INFINITY;
    if (!connection) return;
    const nowMs = Math.floor(this.#nowMs());
    while (connection === this.#connection) {
      if (connection.bufferedBytes > BUFFERED_BYTES) {
        this.#fullUntilMs = nowMs + FULL_MS;
        return;
      }
      const envelope = machine.pollTransmit(nowMs);
      if (!envelope) break;
      connection.send(encode(wire.ClientEnvelope, envelope));
    }
    // What left is worth an event: a send is on its way.
    this.#doOutputs();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { machine } = this;
    if (machine.isClosed) return;
    const nowMs = Math.floor(this.#nowMs());
    const at = Math.min(machine.deadline(nowMs), this.#saveAtMs, this.#fullUntilMs);
    if (at === Number.POSITIVE_INFINITY) return;
    // Rounded up, so that the machine's millisecond has passed.
    const waitMs = Math.min(Math.max(0, Math.ceil(at - nowMs)), FAR_MS);
    this.#timer = setTimeout(() => {
      this.input((tick) => {
        if (machine.deadline(tick.nowMs) <= tick.nowMs) machine.handleTimeout(tick);
      });
    }, waitMs);
  }

  async #dial(): Promise<void> {
    const attempt = this.#begin();
    let connection: Connection | undefined;
    const receiver = {
      handleFrame: (bytes: Uint8Array) => {
        if (connection === this.#connection && connection) this.#handleFrame(bytes);
      },
      handleEnd: (error: ErrorInfo) => {
        if (connection === this.#connection && connection) this.#lose(error);
      },
    };
    try {
      const dialed = await this.#dialer.dial(receiver, attempt.signal);
      if (attempt.signal.aborted) {
        dialed.connection.close();
        return;
      }
      this.#attempt = undefined;
      ({ connection } = dialed);
      this.#connection = connection;
      const { fellBack } = dialed;
      if (fellBack) this.#emit({ type: 'fellBack', ...fellBack, error: fellBack.error.info });
      this.input((tick) => this.machine.handleConnected(tick, dialed.connection.transport));
    } catch (thrown) {
      if (!attempt.signal.aborted) this.#lose(ParleyError.from(thrown).info);
    }
  }

  #begin(): AbortController {
    this.#attempt?.abort();
    this.#attempt = new AbortController();
    return this.#attempt;
  }

  async #signIn(): Promise<void> {
    const attempt = this.#begin();
    const { auth } = this.options;
    try {
      const text = 'getToken' in auth ? await auth.getToken() : '';
      const token = fromHex(text);
      if (attempt.signal.aborted) return;
      if (token?.length !== 32) {
        throw new ParleyError(problem('signIn', 'a token is 64 hex digits'));
      }
      this.input((tick) => this.machine.handleToken(tick, token));
    } catch (thrown) {
      if (!attempt.signal.aborted) this.#lose(ParleyError.from(thrown).info);
    }
  }

  #handleFrame(bytes: Uint8Array): void {
    let envelope: wire.ServerEnvelope;
    try {
      envelope = decode(wire.ServerEnvelope, bytes);
    } catch {
      this.#lose(problem('protocol', 'the server sent something that is no envelope'));
      return;
    }
    this.input((tick) => this.machine.handleEnvelope(tick, envelope));
  }

  /** The connection, or the attempt to get one, came to an end. */
  #lose(error: ErrorInfo): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.input((tick) => this.machine.handleFailure(tick, error));
  }

  #hangUp(): void {
    this.#attempt?.abort();
    this.#attempt = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
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

/** Tells somebody who waits for a send how it ended. */
function tellEnd(waiter: Waiter<Sent>, end: Ended): void {
  if (end.type === 'sent') waiter.resolve(end.sent);
  else {
    const aborted = () => problem('aborted', 'the send was aborted');
    waiter.reject(new ParleyError(end.type === 'failed' ? end.error : aborted()));
  }
}
