/**
 * People for tests: accounts made by the API, who chat from pages, or from
 * here through the SDK where a test needs many messages or another side.
 */
import { Client, HttpApi, type User } from '@parley/client';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import WebSocket from 'ws';
import { Device } from './browser.ts';
import type { Server } from './server.ts';

export const PASSWORD = 'correct horse battery';

export class Person {
  #devices = 0;
  #client: Client | undefined;

  private constructor(
    readonly server: Server,
    readonly user: User,
    private readonly token: string,
  ) {}

  static async signUp(server: Server, name: string): Promise<Person> {
    const api = new HttpApi({ url: server.http, auth: { kind: 'token', token: '' } });
    const { user, token } = await api.signUp({
      name,
      password: PASSWORD,
      device: { name: 'script', platform: 'test' },
    });
    return new Person(server, user, token ?? '');
  }

  get name(): string {
    return this.user.name;
  }

  /** The SDK in this process, as a device of its own. */
  async script(): Promise<Client> {
    if (this.#client) return this.#client;
    const client = new Client({
      url: this.server.http,
      auth: { kind: 'token', token: this.token },
      WebSocket: WebSocket as never,
    });
    await client.start();
    this.#client = client;
    return client;
  }

  /** A browser that is signed in. */
  async device(browser: Browser, options?: BrowserContextOptions): Promise<Device> {
    const device = await Device.open(browser, this.server.http, options);
    const answer = await device.context.request.post(`${this.server.http}/v1/login`, {
      headers: { 'Parley-Account': '0' },
      data: {
        name: this.name,
        password: PASSWORD,
        device: { name: `browser ${++this.#devices}`, platform: 'test' },
        session: 'cookie',
      },
    });
    if (!answer.ok()) throw new Error(`login: ${answer.status()} ${await answer.text()}`);
    return device;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}

/** Sends texts one after another; resolves when all are committed. */
export async function say(
  person: Person,
  to: Parameters<Client['submit']>[0],
  texts: readonly string[],
): Promise<number> {
  const client = await person.script();
  let last = 0;
  // In lots, so that the outbox stays small.
  for (let at = 0; at < texts.length; at += 500) {
    const sends = [];
    for (const text of texts.slice(at, at + 500))
      sends.push(client.committed((await client.submit(to, { type: 'text', text })).localId));
    for (const { seq } of await Promise.all(sends)) last = Math.max(last, seq);
  }
  return last;
}

/** A group of these, made by the first. */
export async function group(title: string, owner: Person, ...members: Person[]): Promise<string> {
  const client = await owner.script();
  const { localId } = await client.submit(
    { type: 'newGroup' },
    { type: 'createGroup', title, members: members.map(({ user }) => user.id) },
  );
  return (await client.committed(localId)).conversation;
}
