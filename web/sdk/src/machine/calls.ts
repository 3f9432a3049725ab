/**
 * What the application asks and waits for.
 *
 * A call is kept until it is answered, once, or its time is up; one that was on
 * its way when the connection ended is asked again. Bounded by {@link CALLS}.
 */

import type { Init } from '../codec.ts';
import { type ErrorInfo, problem } from '../error.ts';
import type * as wire from '../gen/wire.ts';
import type { Outputs } from './outputs.ts';
import type { ClientKind } from './requests.ts';

/** Requests of the application without an answer yet, at most. */
export const CALLS = 1_024;

export type Call =
  | {
      readonly type: 'fetch';
      readonly fetch: Init<wire.Fetch>;
      /** Whether the answer holds every entry from its first to its last. */
      readonly dense: boolean;
    }
  | { readonly type: 'describe'; readonly conversation: string }
  | { readonly type: 'lookup'; readonly name: string }
  | { readonly type: 'read'; readonly conversation: string; readonly upTo: number }
  | { readonly type: 'list' }
  /** Any other request that has an answer of its own. It is made again after a reconnect. */
  | { readonly type: 'ask'; readonly kind: ClientKind };

export class Calls {
  readonly #outputs: Outputs;
  readonly #open = new Map<number, { call: Call; untilMs: number }>();
  #toAsk: number[] = [];

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  get isFull(): boolean {
    return this.#open.size >= CALLS;
  }

  /** Takes a call that waits until `untilMs`. */
  add(id: number, call: Call, untilMs: number): void {
    this.#open.set(id, { call, untilMs });
  }

  get(id: number): Call | undefined {
    return this.#open.get(id)?.call;
  }

  /** The server has to be asked, now or once more. */
  enqueue(id: number): void {
    this.#toAsk.push(id);
  }

  /** The next call to ask the server; what was answered meanwhile is passed over. */
  next(): { id: number; call: Call } | undefined {
    for (;;) {
      const id = this.#toAsk.shift();
      if (id === undefined) return undefined;
      const call = this.get(id);
      if (call) return { id, call };
    }
  }

  reply(id: number, value?: unknown): void {
    if (this.#open.delete(id)) this.#outputs.push({ type: 'reply', call: id, value });
  }

  fail(id: number, error: ErrorInfo): void {
    if (this.#open.delete(id)) this.#outputs.push({ type: 'reply', call: id, error });
  }

  /** The calls that ask for the same thing. */
  matching(same: (call: Call) => boolean): number[] {
    return [...this.#open].filter(([, { call }]) => same(call)).map(([id]) => id);
  }

  /** The calls that wait for the description of a conversation. */
  describing(conversation: string): number[] {
    return this.matching((it) => it.type === 'describe' && it.conversation === conversation);
  }

  /** The calls that wait for the user of this name. */
  lookingUp(name: string): number[] {
    return this.matching((it) => it.type === 'lookup' && it.name === name);
  }

  /** The names that calls wait for. */
  lookups(): string[] {
    return [...this.#open.values()].flatMap(({ call }) =>
      call.type === 'lookup' ? [call.name] : [],
    );
  }

  /** Fails those whose time is up, and returns them. */
  expire(nowMs: number): { id: number; call: Call }[] {
    const expired: { id: number; call: Call }[] = [];
    for (const [id, { call, untilMs }] of this.#open) {
      if (untilMs > nowMs) break;
      this.#toAsk = this.#toAsk.filter((other) => other !== id);
      this.fail(id, problem('timeout', 'no answer in time'));
      expired.push({ id, call });
    }
    return expired;
  }

  /** When the first one's time is up: all wait equally long. */
  deadline(): number {
    for (const { untilMs } of this.#open.values()) return untilMs;
    return Number.POSITIVE_INFINITY;
  }

  /** Fails all of them. */
  drain(error: ErrorInfo): void {
    this.#toAsk = [];
    for (const id of this.#open.keys()) this.fail(id, error);
  }
}
