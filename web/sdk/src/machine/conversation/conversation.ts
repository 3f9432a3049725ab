/**
 * One conversation as this device knows it: who is in it, what it holds, what is
 * unread, and what it needs of the server next. The rules are in `roster`,
 * `count`, `log`, `delivered`, `read`, `describing` and `hidden`; this file keeps
 * them together.
 */

import type { Init } from '../../codec.ts';
import { preferencesOf } from '../../convert.ts';
import type * as wire from '../../gen/wire.ts';
import type { Raw } from '../../history.ts';
import { uuidBytes } from '../../ids.ts';
import type {
  Description,
  Entry,
  Conversation as Line,
  Preferences,
  Receipt,
  User,
} from '../../model.ts';
import type { StoredConversation } from '../../store.ts';
import type { ConversationPending, Request } from '../requests.ts';
import type { Schedule } from '../schedule.ts';
import { Count } from './count.ts';
import { Acknowledged, deliveredEveryMs } from './delivered.ts';
import { Describing } from './describing.ts';
import { Expiry } from './expiry.ts';
import { Hidden } from './hidden.ts';
import { Log } from './log.ts';
import { ReadMark } from './read.ts';
import { Roster } from './roster.ts';

export class Conversation {
  readonly id: string;
  readonly log: Log;
  readonly acknowledged: Acknowledged;
  readonly read: ReadMark;
  readonly count: Count;
  readonly describing: Describing;
  readonly hidden: Hidden;
  readonly expiry: Expiry;
  #roster: Roster | undefined;
  /** Whether it is known where this device begins. */
  #begun: boolean;
  /** Nothing up to here is there for this user, as pages of this session told. */
  #goneUpTo = 0;
  /** Seq of the entry for whose people names were asked. */
  #naming = 0;
  #preferences: Preferences;
  #request: boolean;
  #lastTimeMs: number;

  /**
   * One this device begins to hold after `held`, or whose beginning is not known
   * yet; or one that goes on as it was saved.
   */
  constructor(id: string, held: number | undefined, saved?: StoredConversation) {
    const at = held ?? 0;
    this.id = id;
    this.log = new Log(at, saved?.last ?? at, saved?.mark);
    this.acknowledged = new Acknowledged(saved?.confirmed ?? at, saved?.wanted ?? 0);
    this.read = new ReadMark(saved?.read ?? 0, saved?.readWanted ?? 0);
    this.count = new Count(at, saved?.count);
    this.describing = new Describing(saved?.roster !== undefined);
    this.hidden = new Hidden(saved?.hidden ?? 0);
    this.expiry = new Expiry(saved?.periods, saved?.lastTimeMs);
    this.expiry.isGroup = saved?.roster?.kind === 'group';
    this.#begun = held !== undefined;
    this.#roster = saved?.roster && new Roster(saved.roster);
    this.acknowledged.handleFloor(saved?.roster?.firstAfter ?? 0);
    this.#preferences = saved?.preferences ?? preferencesOf(undefined);
    this.#request = saved?.request ?? false;
    this.#lastTimeMs = saved?.lastTimeMs ?? 0;
  }

  static restore(saved: StoredConversation): Conversation {
    return new Conversation(saved.id, saved.held, saved);
  }

  saved(): StoredConversation {
    return {
      id: this.id,
      held: this.log.held,
      last: this.log.last,
      confirmed: this.acknowledged.confirmed,
      wanted: this.acknowledged.wanted,
      read: this.read.confirmed,
      readWanted: this.read.wanted,
      count: { ...this.count.value },
      lastTimeMs: this.#lastTimeMs,
      roster: this.#roster?.description,
      preferences: this.#preferences,
      request: this.#request,
      hidden: this.hidden.known,
      periods: this.expiry.periods,
      mark: this.log.marks.get(this.log.held),
    };
  }

  /** Whether it is known where this device begins. */
  get hasBegun(): boolean {
    return this.#begun;
  }

  /** This device begins to hold it after `held`. */
  begin(held: number): void {
    // Another device may have acknowledged meanwhile what was pushed to this one
    // just now: that is news here all the same.
    const pushed = this.log.firstWaiting();
    this.log.beginAt(pushed === undefined ? held : Math.min(held, pushed - 1));
    this.#begun = true;
  }

  /** Takes what the feed tells. Returns how far the user cleared it, when that is news. */
  handleFeed(entry: wire.FeedEntry, nowMs: number): number | undefined {
    // A time goes with its entry: that of a clock that was ahead gives way.
    if (entry.lastSeq >= this.log.last) this.#lastTimeMs = entry.lastTimeMs;
    this.log.noteLast(entry.lastSeq, nowMs, false);
    // Who has read something has it.
    const delivered = Math.max(entry.delivered, entry.read);
    this.acknowledged.handleConfirmed(Math.min(delivered, entry.lastSeq));
    this.count.handleFeed(entry);
    this.#request = entry.request;
    this.hidden.handleCount(entry.hidden);
    const cleared = this.#preferences.clearedUpTo;
    this.#preferences = preferencesOf(entry.preferences);
    const now = this.#preferences.clearedUpTo;
    return now > cleared ? now : undefined;
  }

  /**
   * An entry was taken: moves the count and the roster, and wants its
   * acknowledgement. Returns whether the server has to be asked for the count.
   */
  handleTaken(raw: Raw, entry: Entry, me: string | undefined): boolean {
    if (entry.seq >= this.log.last || !this.#lastTimeMs) this.#lastTimeMs = entry.timeMs;
    if (!entry.own) this.acknowledged.handleTaken(entry.seq);
    this.noteExpiry(entry);
    const followed = this.#roster?.follow(entry, me);
    if (followed === 'lost') this.describing.again();
    // A history that was erased can't be given any more.
    if (followed === 'changed') {
      this.acknowledged.handleFloor(this.#roster?.description.firstAfter ?? 0);
    }
    return this.count.handleTaken(raw, entry, me);
  }

  /** A receipt came. Returns whether it is news. */
  handleReceipt(receipt: Receipt): boolean {
    return this.#roster?.handleReceipt(receipt) ?? true;
  }

  /**
   * The server describes who is in it and where everybody's cursors stand.
   * Returns whether it is current: an old one is asked for again.
   */
  handleDescribed(description: Description, me: string | undefined, session: number): boolean {
    const own = description.members.find((member) => member.user.id === me);
    const delivered = Math.max(own?.delivered ?? 0, own?.read ?? 0);
    this.acknowledged.handleConfirmed(Math.min(delivered, this.log.last));
    // Made before entries that were followed already?
    const isOld = description.lastSeq < (this.#roster?.description.lastSeq ?? 0);
    if (!this.describing.finish(session, isOld)) return false;
    const { firstAfter, kind } = description;
    // A user who comes late into a group begins with their coming, even where
    // they may look further back.
    const before = Math.max((own?.joinedSeq ?? 1) - 1, firstAfter);
    if (kind === 'group' && this.#begun && this.log.held < before) this.begin(before);
    this.acknowledged.handleFloor(Math.min(firstAfter, this.log.last));
    this.#roster = new Roster(description);
    this.expiry.isGroup = kind === 'group';
    // Whatever set it before: it counts for what comes now.
    this.expiry.describe(description.lastSeq, description.settings.retentionS);
    return true;
  }

  /** The server doesn't describe it: entries are emitted without names. */
  handleUndescribable(session: number): void {
    this.describing.finish(session, false);
    this.#roster ??= Roster.unknown(this.id);
  }

  /** Nothing up to here is there for this user. Returns whether that is news. */
  handleGone(upTo: number): boolean {
    if (upTo <= this.#goneUpTo) return false;
    this.#goneUpTo = upTo;
    return true;
  }

  /** An entry may say when messages expire, or expire itself. */
  noteExpiry(entry: Entry): void {
    const { seq, sender, timeMs } = entry;
    if (entry.type === 'change' && 'settings' in entry.what && entry.what.settings) {
      if (entry.what.type === 'created') this.expiry.isGroup = true;
      this.expiry.set(seq, sender.id, entry.what.settings.retentionS);
    }
    if (entry.type === 'message') this.expiry.handleTaken({ seq, sender: sender.id, timeMs });
  }

  /** It is so late by the server's clock. Returns whether the count is stale by it. */
  handleTime(nowMs: number, me: string | undefined): boolean {
    this.expiry.handleTime(nowMs);
    const sender = this.peer(me)?.id ?? '';
    const newest = { seq: this.log.last + 1, sender, timeMs: this.#lastTimeMs };
    // The first entry of a group is its making.
    const isAll = this.expiry.isOver(newest, Math.max(this.read.confirmed, 1), nowMs);
    return this.count.handleExpired(isAll);
  }

  /** The names for the entry at `seq` are asked for. False when they were. */
  startNaming(seq: number): boolean {
    const isNew = this.#naming !== seq;
    this.#naming = seq;
    return isNew;
  }

  /** The next entry in order that can be taken, but for names. */
  peek(): Raw | undefined {
    return this.#begun && this.#roster ? this.log.peek() : undefined;
  }

  /** Whether an earlier session left something open. */
  get isUnfinished(): boolean {
    return (
      this.describing.dueAtMs() !== undefined ||
      this.log.hasGap ||
      this.log.doubted ||
      this.acknowledged.isPending ||
      this.read.isPending ||
      this.hidden.due() !== undefined
    );
  }

  /**
   * Its next request, now on its way; or when it is to be looked at
   * again; or `wait` while others have the slots it needs; or nothing.
   * `noPauses`: acknowledgements don't wait for others to go with.
   */
  next(
    nowMs: number,
    me: string | undefined,
    schedule: Schedule,
    noPauses: boolean,
  ): Request | number | 'wait' | undefined {
    const { id, acknowledged, log } = this;
    const ask = (
      type: ConversationPending['type'],
      value: Init<wire.Read & wire.Hidden & wire.Fetch>,
    ): Request => {
      const asked = { conversation: uuidBytes(id), ...value };
      const isFetch = type === 'refetch' || type === 'check';
      const kind = { case: isFetch ? 'fetch' : type, value: asked } as const;
      return { pending: { type, id }, kind };
    };
    let later: number | undefined;
    let wait = false;
    const putOff = (atMs: number) => {
      later = Math.min(later ?? atMs, atMs);
    };

    const read = this.read.due();
    // Where nothing more is given, the server's answer is what those who wait get.
    if (read && (read.upTo <= acknowledged.covered || acknowledged.isStuck)) {
      if (read.atMs <= nowMs) {
        this.read.start();
        return ask('read', { upTo: read.upTo });
      }
      putOff(read.atMs);
    }
    const due = acknowledged.due(log.held);
    if (due) {
      if (due.atMs <= nowMs) {
        const members = this.#roster?.description.members.length ?? 0;
        acknowledged.start(nowMs + (noPauses ? 0 : deliveredEveryMs(members, me ?? '')));
        return ask('delivered', { upTo: due.upTo });
      }
      putOff(due.atMs);
    }
    const describeAtMs = this.describing.dueAtMs();
    if (describeAtMs !== undefined) {
      if (describeAtMs > nowMs) putOff(describeAtMs);
      else if (schedule.start('describe')) {
        this.describing.start();
        return ask('describe', {});
      } else wait = true;
    }
    const after = this.hidden.due();
    if (after !== undefined) {
      this.hidden.start();
      return ask('hidden', { after });
    }
    // Once in a session, should it be refused.
    if (log.doubted && !log.asked) {
      log.asked = log.held;
      return ask('check', { from: { case: 'afterSeq', value: log.held - 1 }, limit: 1 });
    }
    const gapAtMs = this.#begun && this.#roster ? log.fetchAtMs() : undefined;
    if (gapAtMs !== undefined) {
      if (gapAtMs > nowMs) putOff(gapAtMs);
      else if (schedule.start('fetch')) {
        log.startFetch();
        return ask('fetch', { from: { case: 'afterSeq', value: log.held } });
      } else wait = true;
    }
    const from = acknowledged.fetchFrom(log.held);
    if (from !== undefined) {
      if (schedule.start('fetch')) {
        acknowledged.startRecovery();
        return ask('refetch', { from: { case: 'afterSeq', value: from } });
      }
      wait = true;
    }
    return wait ? 'wait' : later;
  }

  /** The member with this id, as a user with a name. */
  named(user: string): User | undefined {
    return this.#roster?.member(user)?.user;
  }

  /** The furthest of the others' cursors. */
  others(me: string | undefined): { delivered: number; read: number } {
    let [delivered, read] = [0, 0];
    for (const member of this.#roster?.description.members ?? []) {
      if (member.user.id === me) continue;
      delivered = Math.max(delivered, member.delivered, member.read);
      read = Math.max(read, member.read);
    }
    return { delivered, read };
  }

  /** The other one of a 1:1; oneself in a conversation with oneself. */
  peer(me: string | undefined): User | undefined {
    if (!me || this.#roster?.description.kind !== 'direct') return undefined;
    const { members } = this.#roster.description;
    return (members.find((member) => member.user.id !== me) ?? members[0])?.user;
  }

  /** What is known of it; nothing before it was described. */
  description(): Description | undefined {
    const description = this.#roster?.description;
    return (
      description && {
        ...description,
        lastSeq: this.log.last,
        firstAfter: Math.max(description.firstAfter, this.#preferences.clearedUpTo),
      }
    );
  }

  line(me: string | undefined): Line {
    const others = this.others(me);
    const described = this.#roster?.description;
    const former = described?.former ?? false;
    const { unread, mentions, floor } = this.count.value;
    return {
      id: this.id,
      kind: described?.kind ?? 'direct',
      peer: this.peer(me),
      info: described?.info ?? { title: '', description: '', picture: '' },
      members: described?.members.length ?? 0,
      role: me && !former ? this.#roster?.member(me)?.role : undefined,
      former,
      lastSeq: this.log.last,
      unread,
      mentions,
      floor,
      read: this.read.confirmed,
      peerDelivered: others.delivered,
      peerRead: others.read,
      lastTimeMs: this.#lastTimeMs,
      preferences: this.#preferences,
      request: this.#request,
    };
  }

  handleDisconnected(): void {
    this.log.handleDisconnected();
    this.acknowledged.handleDisconnected();
    this.read.handleDisconnected();
    this.describing.handleDisconnected();
    this.hidden.handleDisconnected();
    this.#naming = 0;
  }
}
