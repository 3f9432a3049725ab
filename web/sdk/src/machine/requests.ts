/**
 * Requests without an answer yet.
 *
 * Bounded by the server's own limit. An answer that nobody waits for is passed
 * over. A request that gets no answer for too long means that the connection is
 * broken, whatever the transport thinks.
 */

import type { Init } from '../codec.ts';
import type * as wire from '../gen/wire.ts';

export type ClientKind = NonNullable<wire.ClientEnvelope['kind']>;
export type ServerKind = NonNullable<wire.ServerEnvelope['kind']>;

/** The client's own bound, below any sensible server's. */
const MOST = 64;

/** What an answer is for. */
export type Pending =
  | { readonly type: 'hello' | 'ping' | 'sync' | 'watch' }
  | { readonly type: 'send'; readonly localId: number }
  | ConversationPending
  /** Something the application asked. */
  | { readonly type: 'call'; readonly call: number }
  | { readonly type: 'lookup'; readonly name: string }
  /** The name of somebody known by id only. */
  | { readonly type: 'name'; readonly user: string };

/**
 * What a conversation asks. `fetch` is of a gap, `refetch` of what the session
 * must have been given before a cursor may pass it, `check` asks whether the log
 * is still the same.
 */
export interface ConversationPending {
  readonly type: 'fetch' | 'refetch' | 'check' | 'delivered' | 'read' | 'describe' | 'hidden';
  readonly id: string;
}

/** What to ask the server, and what the answer is for. */
export interface Request {
  readonly pending: Pending;
  readonly kind: Init<ClientKind>;
}

export class Requests {
  #next = 1;
  #most = MOST;
  /** In the order in which they were made. */
  readonly #open = new Map<number, { pending: Pending; madeMs: number }>();

  /** Notes the server's limit; leaves it some room for heartbeats. */
  setLimit(limit: number): void {
    this.#most = Math.min(Math.max(limit - 4, 1), MOST);
  }

  get hasRoom(): boolean {
    return this.#open.size < this.#most;
  }

  add(nowMs: number, pending: Pending): number {
    const request = this.#next++;
    this.#open.set(request, { pending, madeMs: nowMs });
    return request;
  }

  take(request: number): Pending | undefined {
    const found = this.#open.get(request);
    this.#open.delete(request);
    return found?.pending;
  }

  /** When the oldest was made. */
  get oldestMs(): number | undefined {
    for (const { madeMs } of this.#open.values()) return madeMs;
    return undefined;
  }

  /** The connection is gone: everything open, oldest first. */
  drain(): Pending[] {
    const open = [...this.#open.values()];
    this.#open.clear();
    return open.map(({ pending }) => pending);
  }
}
