/** A client over a WebSocket in memory: what callers get, and that nothing leaves before it is kept. */

import { afterEach, expect, test } from 'vitest';
import type { To } from '../../src/actions.ts';
import { Client } from '../../src/client.ts';
import type { WebSocketConstructor } from '../../src/driver/transport.ts';
import type { Save, Store } from '../../src/store.ts';
import type { Event } from '../../src/types.ts';
import { type Device, Dice, id, PLACE, World } from '../machine/model.ts';

const place: To = { type: 'conversation', conversation: PLACE };
const clients: Client[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

/** A server that answers at once, unless it refuses everything or is silent. */
class Line {
  readonly world = new World(new Dice(1));
  readonly log: string[] = [];
  refuse = false;
  silent = false;
  #sessions = 0;

  /** A WebSocket of this user. */
  socket(user: string): WebSocketConstructor {
    const line = this;
    return class {
      binaryType = '';
      readonly bufferedAmount = 0;
      readonly #listeners = new Map<string, (event: unknown) => void>();
      readonly #device = {
        user,
        link: { up: [], down: [] as Uint8Array[], session: ++line.#sessions },
        machine: { isReady: true },
      } as unknown as Device;

      constructor() {
        line.world.devices.push(this.#device);
        queueMicrotask(() => this.#listeners.get('open')?.({}));
      }

      addEventListener(type: string, listener: (event: unknown) => void): void {
        this.#listeners.set(type, listener);
      }

      send(bytes: Uint8Array): void {
        if (line.silent) return;
        line.world.handle(this.#device, bytes, line.refuse);
        line.log.push('sent');
        for (const device of line.world.devices) {
          for (const data of device.link?.down.splice(0) ?? []) {
            if (device !== this.#device) continue;
            const { buffer } = data.slice();
            queueMicrotask(() => this.#listeners.get('message')?.({ data: buffer }));
          }
        }
      }

      close(): void {
        queueMicrotask(() => this.#listeners.get('close')?.({ code: 1000 }));
      }
    };
  }

  async client(store?: Store): Promise<{ client: Client; events: Event[] }> {
    const client = new Client({
      url: 'http://localhost',
      auth: { kind: 'token', token: '0'.repeat(64) },
      WebSocket: this.socket(id(1)),
      store,
      requestTimeoutMs: 2_000,
    });
    clients.push(client);
    const events: Event[] = [];
    client.on((event) => events.push(event));
    await client.start();
    return { client, events };
  }
}

function ready(client: Client): Promise<void> {
  return new Promise((resolve) => {
    if (client.state.type === 'ready') resolve();
    client.on((event) => {
      if (event.type === 'state' && event.state.type === 'ready') resolve();
    });
  });
}

test('a send is committed, before its entry comes; who asks later hears the same', async () => {
  const { client, events } = await new Line().client();
  const handle = await client.send(place, 'hello');
  expect(await handle.sent()).toMatchObject({ conversation: PLACE, seq: 1 });
  expect(await handle.sent()).toMatchObject({ seq: 1 });
  await expect.poll(() => events.some((event) => event.type === 'entry')).toBe(true);
  const kinds = events.map((event) => event.type);
  expect(kinds.indexOf('outboxDone')).toBeLessThan(kinds.indexOf('entry'));
  expect(await client.outbox()).toEqual([]);
});

test('states are told in order, and the last one is the state', async () => {
  const { client, events } = await new Line().client();
  await ready(client);
  await client.close();
  const states = events.flatMap((event) => (event.type === 'state' ? [event.state.type] : []));
  expect(states).toEqual(['connecting', 'handshaking', 'ready', 'closed']);
  expect(client.state).toEqual({ type: 'closed' });
  await expect(client.outbox()).rejects.toMatchObject({ kind: 'closed' });
});

test('a send that has not left is taken back, and says so to who waits', async () => {
  const line = new Line();
  line.silent = true;
  const { client } = await line.client();
  const handle = await client.send(place, 'hello');
  const waiting = handle.sent();
  expect(await handle.abort()).toBe(true);
  await expect(waiting).rejects.toMatchObject({ kind: 'aborted' });
  await expect(handle.sent()).rejects.toMatchObject({ kind: 'aborted' });
  expect(await handle.abort()).toBe(false);
  await expect(client.committed(99)).rejects.toMatchObject({ kind: 'invalidArgument' });
});

test('a message goes to whoever or whatever is named', async () => {
  const line = new Line();
  const { client } = await line.client();
  await (await client.send(place, 'hello')).sent();
  const [list] = await client.conversations();
  const { entries } = await client.history(PLACE, { type: 'latest' });
  line.silent = true;
  const user = { id: id(2), name: 'ben' };
  for (const target of ['ann', user, list, entries[0], place]) {
    if (target) await client.send(target, 'there');
  }
  expect((await client.outbox()).map(({ to }) => to)).toEqual([
    { type: 'name', name: 'ann' },
    { type: 'user', user: id(2) },
    place,
    place,
    place,
  ]);
});

test('history has names, and so has the list', async () => {
  const { client } = await new Line().client();
  await (await client.send(place, 'hello')).sent();
  const { entries, fromCache } = await client.history(PLACE, { type: 'latest' });
  expect(fromCache).toBe(false);
  expect(entries).toMatchObject([{ text: 'hello', sender: { name: `n${id(1)}` }, own: true }]);
  expect(await client.users([id(1)])).toEqual([{ id: id(1), name: `n${id(1)}` }]);
  expect(await client.conversations()).toMatchObject([{ id: PLACE, lastSeq: 1 }]);
  expect((await client.history(PLACE, { type: 'latest' }, { cache: 'only' })).entries).toEqual([]);
});

test('a call that the server refuses or does not answer is rejected', async () => {
  const line = new Line();
  const { client } = await line.client();
  await ready(client);
  line.refuse = true;
  await expect(client.findUser('ann')).rejects.toThrow();
  line.refuse = false;
  line.silent = true;
  await expect(client.account()).rejects.toMatchObject({ kind: 'timeout' });
});

test('what is sent is kept before it leaves, and is not taken when it can not be', async () => {
  const line = new Line();
  let broken = false;
  const commit = async (saves: readonly Save[]): Promise<void> => {
    await Promise.resolve();
    if (broken) throw new Error('full');
    if (saves.some((save) => save.type === 'queued')) line.log.push('kept');
  };
  const saved = { feedPosition: 0, conversations: [], outbox: [], lastLocalId: 0, users: [] };
  const store: Store = {
    load: async () => saved,
    commit,
    cached: async () => undefined,
    wipe: async () => {},
    close: () => {},
  };
  const { client } = await line.client(store);
  await ready(client);
  await new Promise((resolve) => setTimeout(resolve, 50));
  line.log.length = 0;
  await (await client.send(place, 'hello')).sent();
  expect(line.log.slice(0, 2)).toEqual(['kept', 'sent']);
  broken = true;
  await expect(client.send(place, 'lost')).rejects.toMatchObject({ kind: 'store' });
  expect(await client.outbox()).toEqual([]);
});

test('a drain ends when everything is sent, and tells what is left', async () => {
  const line = new Line();
  const first = (await line.client()).client;
  await first.send(place, 'hello');
  expect(await first.drain(2_000)).toBe(0);
  expect(first.state.type).toBe('closed');
  line.silent = true;
  const second = (await line.client()).client;
  await second.send(place, 'hello');
  expect(await second.drain(100)).toBe(1);
});
