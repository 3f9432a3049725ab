/**
 * A small server in memory that keeps the protocol's promises, and a network
 * that does not keep any: for running machines against each other in virtual
 * time, from a seed.
 */

import { decode, encode, type Init } from '../../src/codec.ts';
import { compose } from '../../src/compose.ts';
import { problem } from '../../src/error.ts';
import * as wire from '../../src/gen/wire.ts';
import { toHex, uuid, uuidBytes } from '../../src/ids.ts';
import type { Tick } from '../../src/machine/connect.ts';
import { Machine } from '../../src/machine/machine.ts';
import type { Config } from '../../src/machine/parts.ts';
import * as resets from '../../src/machine/reset.ts';
import type { Save, Saved, StoredConversation, StoredItem } from '../../src/store.ts';
import type { Event } from '../../src/types.ts';

type Kind = Init<wire.ServerEnvelope['kind']>;

/** Random numbers from a seed (mulberry32). */
export class Dice {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(most: number): number {
    return Math.floor(this.next() * most);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

export function id(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** The one conversation of all. */
export const PLACE = id(999);

const CONFIG: Config = {
  backoff: { baseMs: 500, maxMs: 20_000 },
  requestTimeoutMs: 30_000,
  catchUp: 'everything',
  canSignIn: false,
  hasToken: true,
  clientName: 'test',
  clientVersion: '1',
  keeps: true,
};

/** One device: its machine, what it has stored, and what it was told. */
export class Device {
  machine!: Machine;
  readonly events: Event[] = [];
  private account: Saved['account'];
  private feed = 0;
  private conversations = new Map<string, StoredConversation>();
  private outbox = new Map<number, StoredItem>();
  link: { up: Uint8Array[]; down: Uint8Array[]; session: number } | undefined;
  dialing = false;
  sessions = 0;
  /** How often what it held was dropped. */
  resets = 0;
  /** Calls that were answered, in order. */
  readonly replied: number[] = [];

  constructor(
    readonly world: World,
    readonly user: string,
  ) {
    this.boot();
  }

  /** The process starts, with what is in the store. */
  boot(): void {
    this.link = undefined;
    this.dialing = false;
    const saved = {
      account: this.account,
      feedPosition: this.feed,
      conversations: [...this.conversations.values()].map((it) => structuredClone(it)),
      outbox: [...this.outbox.values()],
      lastLocalId: 0,
      users: [],
    };
    this.machine = new Machine(CONFIG, saved, resets);
    this.machine.start(this.world.tick());
    this.act();
  }

  /** Whether nothing is left to do, with the first `held` entries stored and acknowledged. */
  isQuiet(held: number): boolean {
    const stored = this.conversations.get(PLACE);
    const { queued, isReady } = this.machine;
    const acknowledged = stored !== undefined && stored.wanted <= stored.confirmed;
    return queued === 0 && isReady && acknowledged && stored.held === held;
  }

  say(text: string, clientMessageId: string): void {
    const to = { type: 'conversation', conversation: PLACE } as const;
    this.machine.queue(this.world.tick(), to, clientMessageId, compose(to, { type: 'text', text }));
    this.act();
  }

  act(): void {
    for (const save of this.machine.takeSaves()) this.save(save);
    for (let next = this.machine.pollOutput(); next; next = this.machine.pollOutput()) {
      if (next.type === 'emit') {
        if (next.event.type === 'reset') {
          this.resets++;
          // What was shown goes.
          this.events.length = 0;
        }
        this.events.push(next.event);
      }
      if (next.type === 'reply') this.replied.push(next.call);
      if (next.type === 'dial') this.dialing = true;
      if (next.type === 'hangup') {
        this.dialing = false;
        this.link = undefined;
      }
    }
    if (!this.link) return;
    for (;;) {
      const envelope = this.machine.pollTransmit(this.world.nowMs);
      if (!envelope) break;
      this.link.up.push(encode(wire.ClientEnvelope, envelope));
    }
  }

  private save(save: Save): void {
    if (save.type === 'reset') {
      this.conversations.clear();
      if (!save.conversation) this.account = undefined;
      this.feed = 0;
    }
    if (save.type === 'account') this.account = save.account;
    if (save.type === 'feed') this.feed = save.position;
    if (save.type === 'conversation')
      this.conversations.set(save.conversation.id, save.conversation);
    if (save.type === 'queued') this.outbox.set(save.item.localId, save.item);
    if (save.type === 'done') this.outbox.delete(save.localId);
  }

  connect(): void {
    this.dialing = false;
    this.link = { up: [], down: [], session: ++this.sessions };
    this.machine.handleConnected(this.world.tick(), 'websocket');
    this.act();
  }

  lose(): void {
    this.link = undefined;
    this.machine.handleFailure(this.world.tick(), problem('network', 'cut'));
    this.act();
  }

  receive(bytes: Uint8Array): void {
    this.machine.handleEnvelope(this.world.tick(), decode(wire.ServerEnvelope, bytes));
    this.act();
  }

  timeout(): void {
    this.machine.handleTimeout(this.world.tick());
    this.act();
  }
}

/** The server: one log, dedupe, the feed, cursors. */
export class World {
  nowMs = 0;
  readonly log: wire.Entry[] = [];
  readonly devices: Device[] = [];
  private readonly answers = new Map<string, wire.Sent>();
  private readonly read = new Map<string, number>();
  private readonly delivered = new Map<string, number>();
  /** How far each session was given entries without a gap. */
  private readonly given = new Map<string, number>();
  readonly violations: string[] = [];

  incarnation = 1;
  wasPutBack = false;

  constructor(readonly dice: Dice) {}

  /** A copy takes the server's place that has the first so many entries. */
  putBack(length: number): void {
    this.wasPutBack = true;
    // What is stamped from here on is later than all that was.
    this.nowMs++;
    this.log.length = length;
    for (const [key, sent] of this.answers) if (sent.seq > length) this.answers.delete(key);
    for (const cursors of [this.read, this.delivered]) {
      for (const [user, seq] of cursors) cursors.set(user, Math.min(seq, length));
    }
    for (const device of this.devices) if (device.link) device.lose();
  }

  tick(): Tick {
    return { nowMs: this.nowMs, wallMs: this.nowMs, random: this.dice.next() };
  }

  private reply(device: Device, request: number, kind: Kind): void {
    device.link?.down.push(
      encode(wire.ServerEnvelope, { request, kind } as Init<wire.ServerEnvelope>),
    );
  }

  private changes(user: string, position: number): Init<wire.Changes> {
    const last = this.log.length;
    if (last === position || last === 0) return { feedPosition: last };
    const read = this.read.get(user) ?? 0;
    const own = this.log.findLast((entry) => uuid(entry.sender) === user)?.seq ?? 0;
    const entry = {
      conversation: uuidBytes(PLACE),
      version: last,
      lastSeq: last,
      unread: last - Math.max(read, own),
      read,
      delivered: this.delivered.get(user) ?? 0,
      lastOrdinal: last,
      lastTimeMs: this.log.at(-1)?.timeMs ?? 0,
      floorOrdinal: Math.max(read, own),
    };
    return { entries: [entry], feedPosition: last };
  }

  private entries(device: Device, after: number, most: number): Uint8Array[] {
    const page = this.log.slice(after, after + most);
    const key = `${device.user} ${device.link?.session}`;
    const from = Math.max(this.given.get(key) ?? 0, this.delivered.get(device.user) ?? 0);
    if (after <= from) this.given.set(key, Math.max(from, after + page.length));
    return page.map((entry) => encode(wire.Entry, entry));
  }

  /** One envelope of a device; `refuse` makes the server ask for patience. */
  handle(device: Device, bytes: Uint8Array, refuse: boolean): void {
    const { request, kind } = decode(wire.ClientEnvelope, bytes);
    const conversation = uuidBytes(PLACE);
    if (refuse && kind?.case !== 'hello' && kind?.case !== 'goodbye' && request > 0) {
      const failure = { code: 502, text: '', retryAfterMs: 50 };
      this.reply(device, request, { case: 'failure', value: failure });
      return;
    }
    switch (kind?.case) {
      case 'hello':
        this.reply(device, request, { case: 'welcome', value: this.welcome(device, kind.value) });
        break;
      case 'ping':
        this.reply(device, request, { case: 'pong', value: { feedPosition: this.log.length } });
        break;
      case 'sync':
        this.reply(device, request, {
          case: 'changes',
          value: this.changes(device.user, kind.value.feedPosition),
        });
        break;
      case 'describe':
        this.reply(device, request, { case: 'described', value: this.described() });
        break;
      case 'fetch': {
        const after = kind.value.from?.case === 'afterSeq' ? kind.value.from.value : 0;
        const most = 1 + this.dice.below(20);
        const entries = this.entries(device, after, most);
        const atEnd = after + entries.length >= this.log.length;
        const value = {
          conversation,
          entries,
          atStart: after === 0,
          atEnd,
          lastSeq: this.log.length,
        };
        this.reply(device, request, { case: 'fetched', value });
        break;
      }
      case 'delivered':
      case 'read':
        this.move(device, request, kind.case, kind.value.upTo);
        break;
      case 'send':
        this.send(device, request, kind.value);
    }
  }

  private move(device: Device, request: number, which: 'delivered' | 'read', upTo: number): void {
    const { user } = device;
    const given = this.given.get(`${user} ${device.link?.session}`) ?? 0;
    const delivered = this.delivered.get(user) ?? 0;
    if (upTo > Math.max(given, delivered)) {
      this.reply(device, request, { case: 'failure', value: { code: 306 } });
      return;
    }
    this.delivered.set(user, Math.max(delivered, upTo));
    if (which === 'read') this.read.set(user, Math.max(this.read.get(user) ?? 0, upTo));
    const value = {
      conversation: uuidBytes(PLACE),
      delivered: this.delivered.get(user) ?? 0,
      read: this.read.get(user) ?? 0,
    };
    this.reply(device, request, { case: 'moved', value });
  }

  private send(device: Device, request: number, send: wire.Send): void {
    const key = `${device.user} ${toHex(send.clientMessageId)}`;
    const before = this.answers.get(key);
    if (before) {
      this.reply(device, request, {
        case: 'sent',
        value: { ...before, duplicate: true, feedPosition: 0 },
      });
      return;
    }
    const seq = this.log.length + 1;
    const entry: wire.Entry = {
      seq,
      ordinal: seq,
      timeMs: this.nowMs,
      epoch: 1,
      sender: uuidBytes(device.user),
      kind: send.kind,
      body: send.body,
      erased: false,
      damaged: false,
    };
    this.log.push(entry);
    const conversation = uuidBytes(PLACE);
    const value = {
      conversation,
      seq,
      timeMs: this.nowMs,
      ordinal: seq,
      duplicate: false,
      feedPosition: seq,
    };
    this.answers.set(key, value);
    this.reply(device, request, { case: 'sent', value });
    const own = `${device.user} ${device.link?.session}`;
    if (Math.max(this.given.get(own) ?? 0, this.delivered.get(device.user) ?? 0) === seq - 1) {
      this.given.set(own, seq);
    }
    for (const other of this.devices) {
      // A push is a hint: some are left out.
      if (other === device || !other.link || this.dice.chance(10)) continue;
      if (!other.machine.isReady) continue;
      const entries = this.entries(other, seq - 1, 1);
      this.reply(other, 0, {
        case: 'deliver',
        value: { conversation, feedPosition: seq, entries },
      });
    }
  }

  private described(): Init<wire.Described> {
    const members = this.devices.map(({ user }) => ({
      user: uuidBytes(user),
      name: `n${user}`,
      delivered: this.delivered.get(user) ?? 0,
      read: this.read.get(user) ?? 0,
      role: wire.Role.MEMBER,
    }));
    return {
      conversation: uuidBytes(PLACE),
      kind: wire.ConversationKind.DIRECT,
      members,
      lastSeq: this.log.length,
    };
  }

  private welcome(device: Device, hello: wire.Hello): Init<wire.Welcome> {
    if (hello.feedPosition > this.log.length && !this.wasPutBack) {
      this.violations.push('a feed position ahead');
    }
    return {
      version: 1,
      session: uuidBytes(id(1)),
      user: uuidBytes(device.user),
      device: uuidBytes(device.user),
      userName: `n${device.user}`,
      limits: { textChars: 1000, requestsInFlight: 20, fetchEntries: 20 },
      heartbeatMs: 5_000,
      changes: this.changes(device.user, hello.feedPosition),
      incarnation: new Uint8Array(16).fill(this.incarnation),
    };
  }
}
