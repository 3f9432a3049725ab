/** When messages are too old: what is known of it, and what the machine does about it. */

import { expect, test } from 'vitest';
import { decode, encode, type Init } from '../../src/codec.ts';
import { compose } from '../../src/compose.ts';
import * as wire from '../../src/gen/wire.ts';
import { uuidBytes } from '../../src/ids.ts';
import { Expiry } from '../../src/machine/conversation/expiry.ts';
import { Machine } from '../../src/machine/machine.ts';
import * as resets from '../../src/machine/reset.ts';
import type { Save } from '../../src/store.ts';
import type { Event } from '../../src/types.ts';
import { id, PLACE } from './model.ts';

const [ME, ANN] = [id(1), id(2)];

test('a retention counts for what comes after it, and in a 1:1 for its author', () => {
  const expiry = new Expiry();
  expiry.set(5, ANN, 10);
  expiry.set(8, ANN, 0);
  const at = (seq: number, sender: string) => expiry.of({ seq, sender, timeMs: 1_000 });
  expect([at(5, ANN), at(6, ANN), at(6, ME), at(8, ANN), at(9, ANN)]).toEqual([
    undefined,
    11_000,
    undefined,
    11_000,
    undefined,
  ]);
  expiry.isGroup = true;
  expect([at(5, ME), at(6, ME), at(9, ME)]).toEqual([undefined, 11_000, undefined]);
  // Learned again, and late, it is the same.
  expiry.set(2, ME, 3);
  expiry.set(5, ANN, 10);
  expect([at(2, ME), at(3, ME), at(6, ME)]).toEqual([undefined, 4_000, 11_000]);
});

test('what the server describes of a group counts for what comes, and in doubt before', () => {
  const expiry = new Expiry();
  expiry.isGroup = true;
  expiry.describe(7, 0);
  expect(expiry.periods).toEqual([]);
  expiry.describe(7, 5);
  expiry.describe(9, 5);
  const at = (seq: number) => expiry.of({ seq, sender: ANN, timeMs: 0 });
  expect([at(7), at(8)]).toEqual([5_000, 5_000]);
  expiry.describe(12, 0);
  expect([at(12), at(13)]).toEqual([5_000, undefined]);
  // The entry that set it comes later.
  expiry.set(3, ANN, 5);
  expect([at(3), at(4), at(13)]).toEqual([undefined, 5_000, undefined]);
});

test('what an earlier run knew is looked at once, and again while something may be left', () => {
  const saved = [{ after: 1, by: ANN, retentionS: 100 }];
  const expiry = new Expiry(saved, 50_000);
  expect(expiry.nextMs).toBe(0);
  expiry.handleTime(100_000);
  expect(expiry.nextMs).toBe(100_000 + 50_000 / 16);
  expiry.handleTime(150_000);
  expect(expiry.nextMs).toBe(Number.POSITIVE_INFINITY);
});

type Kind = Init<wire.ServerEnvelope>['kind'];

/** A machine in a session, in a group of the two whose retention is 5 s. */
class Scene {
  readonly machine: Machine;
  readonly events: Event[] = [];
  readonly saves: Save[] = [];
  readonly replies: { call: number; error?: string | undefined }[] = [];
  nowMs = 0;
  /** The server's clock is an hour ahead of ours. */
  readonly ahead = 3_600_000;

  constructor(memberRead = 0) {
    const config = {
      backoff: { baseMs: 500, maxMs: 20_000 },
      requestTimeoutMs: 30_000,
      catchUp: 'everything',
      canSignIn: false,
      hasToken: true,
      clientName: 'test',
      clientVersion: '1',
      keeps: true,
    } as const;
    this.machine = new Machine(config, undefined, resets);
    this.machine.start(this.tick());
    this.machine.handleToken(this.tick(), new Uint8Array(32));
    this.machine.handleConnected(this.tick(), 'websocket');
    const hello = this.sent('hello');
    this.come({
      kind: {
        case: 'welcome',
        value: {
          version: 1,
          session: uuidBytes(id(9)),
          user: uuidBytes(ME),
          userName: 'me',
          device: uuidBytes(id(7)),
          heartbeatMs: 3_600_000,
          serverTimeMs: this.serverMs,
          limits: { requestsInFlight: 16 },
          changes: { entries: [this.feed(0, 0)], feedPosition: 1 },
        },
      },
      request: hello,
    });
    this.answer('describe', {
      case: 'described',
      value: {
        conversation: uuidBytes(PLACE),
        kind: wire.ConversationKind.GROUP,
        members: [
          { user: uuidBytes(ME), name: 'me', role: 1, joinedSeq: 1, read: memberRead },
          { user: uuidBytes(ANN), name: 'ann', role: 3, joinedSeq: 1 },
        ],
        settings: { retentionS: 5 },
      },
    });
  }

  get serverMs(): number {
    return this.nowMs + 1_000 + this.ahead;
  }

  tick() {
    return { nowMs: this.nowMs, wallMs: this.nowMs + 1_000, random: 0.5 };
  }

  feed(lastSeq: number, unread: number): Init<wire.FeedEntry> {
    const conversation = uuidBytes(PLACE);
    return { conversation, version: 1 + lastSeq, lastSeq, unread, lastTimeMs: this.serverMs };
  }

  come(envelope: Init<wire.ServerEnvelope>): void {
    const bytes = encode(wire.ServerEnvelope, envelope);
    this.machine.handleEnvelope(this.tick(), decode(wire.ServerEnvelope, bytes));
    this.take();
  }

  /** Time passes, and the machine hears of it. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (let at = this.machine.deadline(this.nowMs); at <= end; ) {
      this.nowMs = Math.max(at, this.nowMs);
      this.machine.handleTimeout(this.tick());
      this.take();
      const next = this.machine.deadline(this.nowMs);
      at = next > this.nowMs ? next : this.nowMs + 1;
    }
    this.nowMs = end;
    this.take();
  }

  readonly wire: wire.ClientEnvelope[] = [];

  take(): void {
    this.saves.push(...this.machine.takeSaves());
    for (let it = this.machine.pollOutput(); it; it = this.machine.pollOutput()) {
      if (it.type === 'emit') this.events.push(it.event);
      if (it.type === 'reply') this.replies.push({ call: it.call, error: it.error?.name });
    }
    for (let it = this.machine.pollTransmit(this.nowMs); it; ) {
      this.wire.push(decode(wire.ClientEnvelope, encode(wire.ClientEnvelope, it as never)));
      it = this.machine.pollTransmit(this.nowMs);
    }
  }

  /** The request of the last such envelope, which is then done. */
  sent(name: string): number {
    this.take();
    const at = this.wire.findLastIndex((it) => it.kind?.case === name);
    if (at < 0) throw new Error(`no ${name} was sent`);
    return this.wire.splice(at, 1)[0]?.request ?? 0;
  }

  count(name: string): number {
    this.take();
    return this.wire.filter((it) => it.kind?.case === name).length;
  }

  answer(name: string, kind: Kind): void {
    this.come({ request: this.sent(name), kind });
  }

  entry(seq: number, kind: number, body: Uint8Array): Uint8Array {
    const sender = uuidBytes(ANN);
    return encode(wire.Entry, { seq, ordinal: seq, timeMs: this.serverMs, sender, kind, body });
  }

  deliver(...entries: Uint8Array[]): void {
    this.come({ kind: { case: 'deliver', value: { conversation: uuidBytes(PLACE), entries } } });
  }

  /** The group is made, and a message is sent. */
  begin(): void {
    const created = { info: { title: 'g' }, settings: { retentionS: 5 }, members: [] };
    const to = { type: 'conversation', conversation: PLACE } as const;
    this.deliver(
      this.entry(1, wire.EntryKind.GROUP_CREATED, encode(wire.GroupCreated, created)),
      this.entry(2, wire.EntryKind.TEXT, compose(to, { type: 'text', text: 'secret' }).body),
    );
  }

  get unread(): number | undefined {
    return this.machine.conversations()[0]?.unread;
  }
}

test("messages say when they expire, by the device's clock", () => {
  const scene = new Scene();
  scene.begin();
  const said = scene.events.flatMap((it) => (it.type === 'entry' ? [it.entry] : []));
  expect(said.map((it) => it.type)).toEqual(['change', 'message']);
  expect(said.at(-1)).toMatchObject({ text: 'secret', expiresMs: 1_000 + 5_000 });
});

test('the count and the store lose what expired, with nobody writing and without a network', () => {
  for (const online of [true, false]) {
    const scene = new Scene();
    scene.begin();
    expect(scene.unread).toBe(1);
    if (!online) scene.machine.handleFailure(scene.tick(), { kind: 'network', text: '' });
    scene.saves.length = 0;
    scene.pass(4_900);
    expect(scene.unread).toBe(1);
    expect(scene.saves.some((save) => save.type === 'expired')).toBe(false);
    scene.pass(2_000);
    expect(scene.unread).toBe(0);
    const expired = scene.saves.filter((save) => save.type === 'expired');
    expect(expired[0]).toMatchObject({ conversation: PLACE, nowMs: scene.ahead + 1_000 + 5_000 });
    expect(scene.events.findLast((it) => it.type === 'conversation')).toMatchObject({
      conversation: { unread: 0 },
    });
  }
});

test('where only some of what is unread expired the feed is asked', () => {
  const scene = new Scene();
  scene.begin();
  scene.pass(4_000);
  const to = { type: 'conversation', conversation: PLACE } as const;
  const text = compose(to, { type: 'text', text: 'newer' }).body;
  scene.deliver(scene.entry(3, wire.EntryKind.TEXT, text));
  expect(scene.unread).toBe(2);
  expect(scene.count('sync')).toBe(0);
  scene.pass(1_500);
  expect(scene.count('sync')).toBeGreaterThan(0);
  scene.answer('sync', {
    case: 'changes',
    value: { entries: [scene.feed(3, 1)], feedPosition: 9 },
  });
  expect(scene.unread).toBe(1);
});

test('a page with nothing in it says that everything before went', () => {
  const scene = new Scene();
  scene.begin();
  scene.machine.call(scene.tick(), 7, {
    type: 'fetch',
    fetch: { conversation: uuidBytes(PLACE), limit: 10 },
    dense: true,
  });
  scene.saves.length = 0;
  scene.answer('fetch', {
    case: 'fetched',
    value: { conversation: uuidBytes(PLACE), atStart: true, atEnd: true, lastSeq: 2 },
  });
  const cleared = { type: 'cleared', conversation: PLACE, upTo: 2 };
  expect(scene.events).toContainEqual(cleared);
  expect(scene.saves).toContainEqual(cleared);
});

test('a log whose beginning went is held from its end', () => {
  const scene = new Scene();
  scene.come({
    kind: { case: 'changes', value: { entries: [scene.feed(5, 3)], feedPosition: 5 } },
  });
  scene.answer('fetch', {
    case: 'fetched',
    value: { conversation: uuidBytes(PLACE), atStart: true, atEnd: true, lastSeq: 5 },
  });
  scene.pass(10_000);
  expect(scene.count('fetch')).toBe(0);
  scene.machine.call(scene.tick(), 7, { type: 'read', conversation: PLACE, upTo: 5 });
  const moved = { conversation: uuidBytes(PLACE), delivered: 5, read: 5 };
  scene.answer('read', { case: 'moved', value: moved });
  expect(scene.replies).toEqual([{ call: 7, error: undefined }]);
});

test('a cursor that is always refused ends with an answer, and is not said for ever', () => {
  const scene = new Scene();
  scene.begin();
  scene.machine.call(scene.tick(), 7, { type: 'read', conversation: PLACE, upTo: 2 });
  let said = 0;
  for (let step = 0; step < 100; step++) {
    scene.pass(300);
    for (const name of ['read', 'delivered', 'fetch']) {
      while (scene.count(name) > 0) {
        const request = scene.sent(name);
        said += Number(name !== 'fetch');
        const refused = { case: 'failure', value: { code: 306 } } as const;
        const page = { conversation: uuidBytes(PLACE), lastSeq: 2 };
        const empty = { case: 'fetched', value: page } as const;
        scene.come({ request, kind: name === 'fetch' ? empty : refused });
      }
    }
  }
  expect(scene.replies).toEqual([{ call: 7, error: 'cursor_ahead' }]);
  expect(said).toBeLessThan(10);
});
