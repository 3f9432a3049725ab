/**
 * Opens connections: gets a ticket where the session signs in by cookie, tries
 * the transports in order, and keeps to the one that worked.
 */

import { ParleyError, problem } from '../error.ts';
import type { ClientOptions } from '../options.ts';
import type { Requester } from '../request.ts';
import type { TransportName } from '../types.ts';
import { baseUrl } from '../url.ts';
import {
  type Connection,
  dialWebSocket,
  type Receiver,
  type WebSocketConstructor,
} from './transport.ts';

/** For how long a transport that worked is tried first. */
const KEEP_MS = 600_000;

/** The preferred transport failed and another one took over. */
export interface FellBack {
  readonly from: TransportName;
  readonly to: TransportName;
  readonly error: ParleyError;
}

export interface Dialed {
  readonly connection: Connection;
  readonly fellBack?: FellBack | undefined;
}

export class Dialer {
  readonly #base: string;
  #winner: { name: TransportName; untilMs: number } | undefined;

  constructor(
    private readonly options: ClientOptions,
    private readonly nowMs: () => number,
  ) {
    this.#base = baseUrl(options.url);
  }

  /** The JSON API is loaded only where a session needs something from it. */
  async #http(): Promise<Requester> {
    const { auth, fetch } = this.options;
    const { Requester } = await import('../request.ts');
    const who = auth.kind === 'cookie' ? auth : ({ kind: 'token', token: '' } as const);
    return new Requester({ url: this.#base, auth: who, fetch });
  }

  /** Rejects with a `ParleyError`. */
  async dial(receiver: Receiver, signal: AbortSignal): Promise<Dialed> {
    let failed: { name: TransportName; error: ParleyError } | undefined;
    for (const name of this.#order()) {
      try {
        const connection = await this.#open(name, receiver, signal);
        this.#winner = { name, untilMs: this.nowMs() + KEEP_MS };
        const fellBack = failed && { from: failed.name, to: name, error: failed.error };
        return { connection, fellBack };
      } catch (thrown) {
        const error = ParleyError.from(thrown);
        // What the server refused, it refuses on every transport.
        if (signal.aborted || error.code !== undefined) throw error;
        failed = { name, error };
      }
    }
    throw failed?.error ?? new ParleyError(problem('invalidArgument', 'no transport is given'));
  }

  #order(): TransportName[] {
    const given = [...(this.options.transports ?? ['websocket'])] as TransportName[];
    const winner = this.#winner;
    if (!winner || winner.untilMs < this.nowMs() || !given.includes(winner.name)) return given;
    return [winner.name, ...given.filter((name) => name !== winner.name)];
  }

  async #open(name: TransportName, receiver: Receiver, signal: AbortSignal) {
    const cookie = this.options.auth.kind === 'cookie';
    const ticket = cookie ? (await (await this.#http()).ticket()).ticket : '';
    if (signal.aborted) throw new ParleyError(problem('aborted', 'given up'));
    const query = ticket && `?ticket=${ticket}`;
    if (name === 'webtransport') {
      const { dialWebTransport } = await import('./webtransport.ts');
      return dialWebTransport(await this.#http(), query, receiver, signal);
    }
    const Socket =
      this.options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
    if (!Socket) {
      const text = 'there is no WebSocket here: give one in the options';
      throw new ParleyError(problem('invalidArgument', text));
    }
    const url = `${this.#base.replace(/^http/, 'ws')}/v1/ws${query}`;
    return dialWebSocket(Socket, url, receiver, signal);
  }
}
