/** Requests of the JSON API: who asks, time limits, errors. */

import { fromCode, ParleyError, problem } from './error.ts';
import { baseUrl } from './url.ts';

/** How requests say who asks. */
export type HttpAuth =
  /** The HttpOnly cookie of an account slot (0 to 7) of this browser. */
  | { readonly kind: 'cookie'; readonly slot: number }
  /** A token of 64 hex digits; empty before signing in. */
  | { readonly kind: 'token'; readonly token: string };

export interface HttpOptions {
  /** Where the server is, for example `https://chat.example:7443`; the page's own origin when absent. */
  readonly url?: string | undefined;
  readonly auth: HttpAuth;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** How long an answer may take. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 30_000;
const ANSWER_BYTES = 1 << 20;

export type Json = Record<string, unknown>;

/** A single-use right to open a session. */
export interface Ticket {
  readonly ticket: string;
  readonly expiresMs: number;
}

export class Requester {
  private readonly base: string;
  private readonly fetch: typeof globalThis.fetch;
  private auth: HttpAuth;

  constructor(private readonly options: HttpOptions) {
    this.auth = options.auth;
    this.base = baseUrl(options.url);
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  get usesCookie(): boolean {
    return this.auth.kind === 'cookie';
  }

  /** For opening one session within 30 s, in place of a token in its `Hello`. */
  async ticket(): Promise<Ticket> {
    const answer = await this.json('POST', '/v1/ticket');
    return { ticket: text(answer.ticket), expiresMs: Number(answer.expires_ms) };
  }

  /** The token that took the place of the one that asked; requests go on with it. */
  protected async renewed(answer: Response): Promise<string | undefined> {
    if (this.auth.kind === 'cookie') return undefined;
    const token = text((await parse(answer))?.token);
    if (!token) refuse();
    this.auth = { kind: 'token', token };
    return token;
  }

  async json(method: string, path: string, body?: Json): Promise<Json> {
    const response = await this.request(method, path, body);
    return (await parse(response)) ?? refuse();
  }

  async request(
    method: string,
    path: string,
    body?: Json,
    { endless = false } = {},
  ): Promise<Response> {
    const { timeoutMs = TIMEOUT_MS } = this.options;
    const { auth } = this;
    const headers: Record<string, string> = {};
    if (body) headers['content-type'] = 'application/json';
    if (auth.kind === 'cookie') headers['parley-account'] = String(auth.slot);
    else if (auth.token) headers.authorization = `Bearer ${auth.token}`;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), timeoutMs);
    let response: Response;
    try {
      response = await this.fetch(this.base + path, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
        credentials: auth.kind === 'cookie' ? 'same-origin' : 'omit',
        cache: 'no-store',
        redirect: 'error',
        signal: patience.signal,
      });
      if (!endless && response.ok && response.status !== 204) response = await buffered(response);
    } catch (error) {
      if (error instanceof ParleyError) throw error;
      const timedOut = patience.signal.aborted;
      const info = timedOut
        ? problem('timeout', 'the server did not answer in time')
        : problem('network', 'the server is out of reach');
      throw new ParleyError(info);
    } finally {
      clearTimeout(timer);
    }
    if (response.ok) return response;
    throw new ParleyError(await failure(response));
  }
}

/** Reads a whole answer within the time limit, and within bounds. */
async function buffered(response: Response): Promise<Response> {
  const bytes = await response.arrayBuffer();
  if (bytes.byteLength > ANSWER_BYTES) refuse();
  return new Response(bytes, { status: response.status, headers: response.headers });
}

async function parse(response: Response): Promise<Json | undefined> {
  try {
    const value: unknown = await response.json();
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

async function failure(response: Response) {
  const error = (await parse(response))?.error as Json | undefined;
  if (typeof error?.code === 'number') {
    return fromCode(error.code, text(error.text), Number(error.retry_after_ms ?? 0));
  }
  // A proxy in between, or something that is no Parley server.
  if (response.status >= 500 || response.status === 429) {
    return problem('network', `the server is out of reach (${response.status})`);
  }
  return problem('protocol', `the server answered with status ${response.status}`);
}

/** The answer is not what the API promises. */
export function refuse(): never {
  throw new ParleyError(problem('protocol', "the server's answer is malformed"));
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
