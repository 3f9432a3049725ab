/** The real server for a test: ports of its own, and a folder that goes with it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { Client, type ClientOptions, HttpApi } from '../../src/index.ts';
import type { Event } from '../../src/types.ts';

const BINARY =
  process.env.PARLEY_BIN ??
  fileURLToPath(new URL('../../../../target/release/parley', import.meta.url));

export class Server {
  private process: ChildProcess | undefined;
  private log: string[] = [];
  /** `http://127.0.0.1:port`; stays the same over restarts. */
  url = '';
  private listen = '127.0.0.1:0';

  private constructor(
    private readonly data: string,
    private readonly settings: readonly string[],
  ) {}

  /** `settings` are configuration keys, as in `--set key=value`. */
  static async start(...settings: string[]): Promise<Server> {
    if (!existsSync(BINARY)) {
      throw new Error(`no server at ${BINARY}: build it, or name one in PARLEY_BIN`);
    }
    const server = new Server(await mkdtemp(join(tmpdir(), 'parley-sdk-')), settings);
    await server.spawn();
    return server;
  }

  private async spawn(): Promise<void> {
    const http = this.url ? new URL(this.url).host : '127.0.0.1:0';
    const args = ['serve', '--data', this.data, '--listen', this.listen, '--set', `http=${http}`];
    args.push('--operator', '127.0.0.1:0');
    // Every limit is on. All people of a test come from one address, and histories are written at once.
    const limits = ['rates.limit_loopback=true', 'connections.limit_loopback=true'];
    limits.push('rates.sign_ups_burst=6000', 'rates.logins_per_minute=6000');
    limits.push(
      'rates.sends_burst=100000',
      'rates.entries_burst=100000',
      'rates.groups_burst=2000',
    );
    limits.push('rates.strangers_burst=2000', 'rates.first_messages_burst=2000');
    limits.push('rates.stranger_groups_burst=2000', 'rates.adds_burst=20000');
    limits.push('rates.new_devices_burst=2000');
    for (const limit of limits) args.push('--set', limit);
    for (const setting of this.settings) args.push('--set', setting);
    // The server takes PARLEY_… for configuration keys.
    const { PARLEY_BIN: _, ...env } = process.env;
    const child = spawn(BINARY, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log = [...this.log.slice(-100), line];
    });
    const ready = new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('ready ')) resolve(line.slice(6));
      });
      child.once('error', reject);
      child.once('exit', (code) => {
        reject(new Error(`the server ended with ${code}:\n${this.log.join('\n')}`));
      });
    });
    const said = JSON.parse(await ready) as { http: string; tls: string };
    this.url = said.http;
    this.listen = new URL(said.tls.replace(/^tls/, 'https')).host;
  }

  async kill(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** On the same ports, with the same data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.spawn();
  }

  /** Starts it again if it is dead. */
  async revive(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) await this.spawn();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }

  /** Signs somebody up. Returns their token. */
  async signUp(name: string, device = 'test'): Promise<string> {
    const api = new HttpApi({ url: this.url, auth: { kind: 'token', token: '' } });
    const { token } = await api.signUp({
      name,
      password: 'a long password',
      device: { name: device },
    });
    if (!token) throw new Error('no token');
    return token;
  }

  /** Signs somebody in on another device. Returns the token. */
  async signIn(name: string, device: string): Promise<string> {
    const api = new HttpApi({ url: this.url, auth: { kind: 'token', token: '' } });
    const { token } = await api.signIn({
      name,
      password: 'a long password',
      device: { name: device },
    });
    if (!token) throw new Error('no token');
    return token;
  }

  /** A client that is started. */
  async client(token: string, options: Partial<ClientOptions> = {}): Promise<TestClient> {
    const client = new TestClient({
      url: this.url,
      auth: { kind: 'token', token },
      WebSocket,
      backoff: { baseMs: 50, maxMs: 500 },
      ...options,
    });
    await client.start();
    return client;
  }
}

/** A client that remembers what it heard. */
export class TestClient extends Client {
  readonly events: Event[] = [];

  constructor(options: ClientOptions) {
    super(options);
    this.on((event) => this.events.push(event));
  }

  /** Resolves with what `find` finds in the events so far or to come. */
  async until<T>(find: (event: Event) => T | undefined | false): Promise<T> {
    for (const event of this.events) {
      const found = find(event);
      if (found) return found;
    }
    return new Promise((resolve) => {
      const stop = this.on((event) => {
        const found = find(event);
        if (!found) return;
        stop();
        resolve(found);
      });
    });
  }

  /** Resolves in session. */
  async online(): Promise<void> {
    if (this.state.type === 'ready') return;
    await new Promise<void>((resolve) => {
      const stop = this.on((event) => {
        if (event.type !== 'state' || event.state.type !== 'ready') return;
        stop();
        resolve();
      });
    });
  }

  /** Resolves with the message of this text. */
  message(text: string) {
    return this.until((event) => {
      const entry = event.type === 'entry' && event.entry;
      return entry && entry.type === 'message' && entry.text === text && entry;
    });
  }
}
