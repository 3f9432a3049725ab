/**
 * The JSON API: signing up, in and out, devices, the account. What these do must
 * not hang on a session.
 */

import { fromCode, ParleyError, problem } from './error.ts';
import type { Device, User } from './model.ts';

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

/** Name, password, and the device that signs in; the same device name again is the same device. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly device: { readonly name: string; readonly platform?: string | undefined };
}

export interface SignedIn {
  readonly user: User;
  readonly device: string;
  /** 64 hex digits; absent with cookies. */
  readonly token?: string | undefined;
}

/** An account that is signed in in this browser. */
export interface SignIn {
  readonly slot: number;
  readonly user: User;
  readonly device: string;
}

/** A single-use right to open a session. */
export interface Ticket {
  readonly ticket: string;
  readonly expiresMs: number;
}

/** Where the server may be reached by WebTransport. */
export interface Discovery {
  readonly wt?: { readonly url: string; readonly certificateHash?: string | undefined };
}

const TIMEOUT_MS = 30_000;
const ANSWER_BYTES = 1 << 20;

type Json = Record<string, unknown>;

export class HttpApi {
  private readonly base: string;
  private readonly fetch: typeof globalThis.fetch;

  constructor(private readonly options: HttpOptions) {
    this.base = baseUrl(options.url);
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** Makes an account and signs in. */
  signUp(credentials: Credentials): Promise<SignedIn> {
    return this.signInAt('/v1/accounts', credentials);
  }

  signIn(credentials: Credentials): Promise<SignedIn> {
    return this.signInAt('/v1/login', credentials);
  }

  private async signInAt(path: string, { name, password, device }: Credentials): Promise<SignedIn> {
    const { name: deviceName, platform = '' } = device;
    const body: Json = { name, password, device: { name: deviceName, platform } };
    if (this.options.auth.kind === 'cookie') body.session = 'cookie';
    const answer = await this.json('POST', path, body);
    return {
      user: { id: text(answer.user_id), name: text(answer.name) },
      device: text(answer.device_id),
      token: typeof answer.token === 'string' ? answer.token : undefined,
    };
  }

  /** Signs this device out. */
  async signOut(): Promise<void> {
    await this.request('POST', '/v1/logout');
  }

  /** The accounts that are signed in in this browser by cookie. */
  async signIns(): Promise<SignIn[]> {
    const answer = await this.json('GET', '/v1/sign-ins');
    return list(answer.sign_ins).map((it) => ({
      slot: Number(it.slot),
      user: { id: text(it.user_id), name: text(it.name) },
      device: text(it.device_id),
    }));
  }

  async devices(): Promise<Device[]> {
    const answer = await this.json('GET', '/v1/devices');
    return list(answer.devices).map((it) => ({
      id: text(it.device_id),
      name: text(it.name),
      platform: text(it.platform),
      createdMs: Number(it.created_ms),
      lastActiveMs: Number(it.last_active_ms ?? 0),
      sessions: Number(it.sessions),
      current: it.current === true,
    }));
  }

  async signOutDevice(id: string): Promise<void> {
    await this.request('DELETE', `/v1/devices/${encodeURIComponent(id)}`);
  }

  async signOutOtherDevices(): Promise<void> {
    await this.request('DELETE', '/v1/devices');
  }

  /** All other devices are signed out. */
  async changePassword(old: string, next: string): Promise<void> {
    await this.request('POST', '/v1/account/password', { old, new: next });
  }

  /** All of the user's data, as lines of JSON; whole when the last one is `{"end":true}`. */
  async exportAccount(): Promise<Response> {
    return this.request('GET', '/v1/account/export', undefined, { endless: true });
  }

  async deleteAccount(password: string): Promise<void> {
    await this.request('DELETE', '/v1/account', { password });
  }

  /** For opening one session within 30 s, in place of a token in its `Hello`. */
  async ticket(): Promise<Ticket> {
    const answer = await this.json('POST', '/v1/ticket');
    return { ticket: text(answer.ticket), expiresMs: Number(answer.expires_ms) };
  }

  async discovery(): Promise<Discovery> {
    const { wt } = await this.json('GET', '/v1/discovery');
    if (typeof wt !== 'object' || wt === null) return {};
    const { url, certificate_hash: hash } = wt as Json;
    return { wt: { url: text(url), certificateHash: typeof hash === 'string' ? hash : undefined } };
  }

  private async json(method: string, path: string, body?: Json): Promise<Json> {
    const response = await this.request(method, path, body);
    return (await parse(response)) ?? refuse();
  }

  private async request(
    method: string,
    path: string,
    body?: Json,
    { endless = false } = {},
  ): Promise<Response> {
    const { auth, timeoutMs = TIMEOUT_MS } = this.options;
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

function refuse(): never {
  throw new ParleyError(problem('protocol', "the server's answer is malformed"));
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value : refuse();
}

/** An http(s) URL without a slash at its end; of the page when none is given. */
export function baseUrl(url: string | undefined): string {
  const page = globalThis.location?.origin;
  const given = url ?? page;
  const parsed = given && URL.canParse(given) ? new URL(given) : undefined;
  const scheme = parsed && { 'ws:': 'http:', 'wss:': 'https:' }[parsed.protocol];
  const protocol = scheme ?? parsed?.protocol;
  if (!parsed || (protocol !== 'http:' && protocol !== 'https:')) {
    throw new ParleyError(problem('invalidArgument', "the server's URL begins with http or https"));
  }
  return `${protocol}//${parsed.host}`;
}
