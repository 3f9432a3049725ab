/** How a client is made. */

import type { Page } from './driver/hooks.ts';
import type { WebSocketConstructor } from './driver/transport.ts';
import type { ParleyError } from './error.ts';
import type { Store } from './store.ts';
import type { TransportName } from './types.ts';

/** How the client signs its sessions in. */
export type Auth =
  /** A token of 64 hex digits. One that is refused ends the client. */
  | { readonly kind: 'token'; readonly token: string }
  /** Asks for a token at the start and whenever one was refused. What it throws is tried again with backoff, but for `signIn` and refusals of class "stop". */
  | { readonly kind: 'token'; readonly getToken: () => Promise<string> }
  /** The HttpOnly cookie of an account slot (0 to 7) of this browser: gets a single-use ticket for each session. */
  | { readonly kind: 'cookie'; readonly slot: number };

export interface ClientOptions {
  /** Where the server is, for example `https://chat.example:7443`; the page's own origin when absent. */
  readonly url?: string | undefined;
  readonly auth: Auth;
  /** Keeps outbox, positions and history; without it everything lives in memory. */
  readonly store?: Store | undefined;
  /** Transports in order of preference; WebSocket alone when absent. */
  readonly transports?: readonly TransportName[] | undefined;
  /**
   * Where a device that holds nothing of a conversation begins to emit entries:
   * at what no device of the user has acknowledged yet (the default), at what the
   * user has not read, or at the beginning.
   */
  readonly catchUp?: 'undelivered' | 'unread' | 'everything' | undefined;
  /** A random part of `baseMs` (500), doubled up to `maxMs` (20,000), before each attempt. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number } | undefined;
  /** How long a request waits for its answer, waiting for a session included; 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Bounds of the outbox: 10,000 sends, 64 MiB. */
  readonly outboxLimit?: { readonly items: number; readonly bytes: number } | undefined;
  /** For the server's logs, at most 64 bytes each. */
  readonly clientName?: string | undefined;
  readonly clientVersion?: string | undefined;
  /** Follow the page's visibility, so that a hidden tab doesn't keep its user online; true when absent. */
  readonly followVisibility?: boolean | undefined;
  /** Hears of failures that nobody waits for, as of the store. */
  readonly onError?: ((error: ParleyError) => void) | undefined;

  /** Where the global ones are missing (Node before 22: `ws`), or for tests. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly page?: Page | undefined;
  /** The device's clock; a clock that never goes back; a number from 0 to 1. */
  readonly wallMs?: (() => number) | undefined;
  readonly steadyMs?: (() => number) | undefined;
  readonly random?: (() => number) | undefined;
}
