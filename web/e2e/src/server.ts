/**
 * The real server for a test: on ports of its own, with a folder that goes
 * when it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const CLIENT = join(import.meta.dirname, '../../app/dist');

/** The binary under test. */
export function binary(): string {
  const path =
    process.env.PARLEY_BIN ?? join(import.meta.dirname, '../../../target/release/parley');
  if (!existsSync(path))
    throw new Error(`no server at ${path}: build it, or name one in PARLEY_BIN`);
  return path;
}

export interface ServerOptions {
  /** Configuration keys, as in `--set key=value`. */
  readonly set?: Readonly<Record<string, string>>;
}

export class Server {
  #process: ChildProcess | undefined;
  #log: string[] = [];
  /** `http://127.0.0.1:port`, where the web client is; stays the same over restarts. */
  http = '';
  tls = '';

  private constructor(
    readonly data: string,
    private readonly options: ServerOptions,
  ) {}

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), 'parley-e2e-')), options);
    await server.#start();
    return server;
  }

  async #start(): Promise<void> {
    const address = (url: string) =>
      url === '' ? '127.0.0.1:0' : url.slice(url.indexOf('//') + 2);
    const args = ['serve', '--data', this.data, '--listen', address(this.tls)];
    args.push('--set', `http=${address(this.http)}`, '--operator', '127.0.0.1:0');
    // Every limit is on. All people of a file come from one address, and histories are written at once.
    const limits = {
      'rates.limit_loopback': 'true',
      'connections.limit_loopback': 'true',
      'rates.sign_ups_burst': '6000',
      'rates.logins_per_minute': '6000',
      'rates.sends_burst': '100000',
      'rates.entries_burst': '100000',
      'rates.groups_burst': '2000',
      'rates.new_devices_burst': '2000',
      'rates.strangers_burst': '2000',
      'rates.first_messages_burst': '2000',
      'rates.stranger_groups_burst': '2000',
      ...this.options.set,
    };
    // The client as it was built last in this tree, rather than the one inside the binary.
    if (existsSync(join(CLIENT, 'index.html'))) args.push('--set', `web.folder=${CLIENT}`);
    for (const [key, value] of Object.entries(limits)) args.push('--set', `${key}=${value}`);
    // The server reads PARLEY_… as its configuration; what is for the tests is none.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('PARLEY_')),
    );
    const child = spawn(binary(), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#log.push(line);
      if (this.#log.length > 200) this.#log.shift();
    });
    const lines = createInterface({ input: child.stdout });
    const ready = new Promise<string>((resolve, reject) => {
      lines.on('line', (line) => line.startsWith('ready ') && resolve(line.slice(6)));
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(
          new Error(`the server ended with ${code} before it was ready:\n${this.#log.join('\n')}`),
        ),
      );
    });
    const said = JSON.parse(await ready) as { http: string; tls: string };
    this.http = said.http;
    this.tls = said.tls;
  }

  /** What it logged last, for a failing test. */
  get log(): string {
    return this.#log.join('\n');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** On the same ports, with the same data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#start();
  }

  /** Its folder as it is now, copied as an operator does: while it is stopped. */
  async backUp(): Promise<string> {
    await this.kill('SIGTERM');
    const copy = `${this.data}-copy`;
    await cp(this.data, copy, { recursive: true });
    await this.#start();
    return copy;
  }

  /** Puts a copy in the folder's place. */
  async restore(copy: string): Promise<void> {
    await this.kill('SIGTERM');
    await rm(this.data, { recursive: true });
    await cp(copy, this.data, { recursive: true });
    await rm(copy, { recursive: true });
    await this.#start();
  }

  /** Starts it again if it is dead. */
  async revive(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) await this.#start();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}
