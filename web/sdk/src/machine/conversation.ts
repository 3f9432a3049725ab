/**
 * One conversation as this device knows it: who is in it, what it holds, what is
 * unread. The rules are in `roster`, `count`, `log` and `cursors`; this file
 * keeps them together.
 */

import { preferencesOf } from '../convert.ts';
import type * as wire from '../gen/wire.ts';
import type { Raw } from '../history.ts';
import type { Description, Entry, Conversation as Line, Preferences, User } from '../model.ts';
import type { StoredConversation } from '../store.ts';
import { Count } from './count.ts';
import { Acknowledged, ReadMark } from './cursors.ts';
import { Log } from './log.ts';
import { Roster } from './roster.ts';

/** Descriptions in a row that are older than what is known, after which one is taken as it is. */
const OLD_DESCRIPTIONS = 3;

export class Conversation {
  log: Log;
  acknowledged: Acknowledged;
  read: ReadMark;
  count: Count;
  /** Whether it is known where this device begins. */
  begun: boolean;
  roster: Roster | undefined;
  /** The session in which the members' cursors were last asked for; 0 for none. */
  /** Nothing up to here is there for this user, as pages of this session said. */
  goneUpTo = 0;
  describedIn = 0;
  describing = false;
  describeAgain = false;
  /** Not before this moment, after a failure. */
  describeAtMs = 0;
  private oldDescriptions = 0;
  /** The entry for whose people names were asked. */
  naming = 0;
  preferences: Preferences = preferencesOf(undefined);
  request = false;
  /** How many messages the user hid, as the server says and as is known here. */
  hidden = 0;
  hiddenKnown = 0;
  askingHidden = false;
  lastTimeMs = 0;

  /** One this device begins to hold after `held`, or whose beginning is not known yet. */
  constructor(
    readonly id: string,
    held: number | undefined,
  ) {
    const at = held ?? 0;
    this.begun = held !== undefined;
    this.log = new Log(at, at);
    this.acknowledged = new Acknowledged(at, 0);
    this.read = new ReadMark(0, 0);
    this.count = new Count(at);
  }

  static restore(saved: StoredConversation): Conversation {
    const it = new Conversation(saved.id, saved.held);
    it.log = new Log(saved.held, saved.last);
    it.acknowledged = new Acknowledged(saved.confirmed, saved.wanted);
    it.acknowledged.handleFloor(saved.roster?.firstAfter ?? 0);
    it.read = new ReadMark(saved.read, saved.readWanted);
    it.count = new Count(0, saved.count);
    it.lastTimeMs = saved.lastTimeMs;
    it.roster = saved.roster && new Roster(saved.roster);
    it.preferences = saved.preferences;
    it.request = saved.request;
    it.hidden = saved.hidden;
    it.hiddenKnown = saved.hidden;
    return it;
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
      count: this.count.saved(),
      lastTimeMs: this.lastTimeMs,
      roster: this.roster?.description,
      preferences: this.preferences,
      request: this.request,
      hidden: this.hiddenKnown,
    };
  }

  /** This device begins to hold it after `held`. */
  begin(held: number): void {
    // Another device may have acknowledged meanwhile what was pushed to this one
    // just now: that is news here all the same.
    const pushed = this.log.firstWaiting();
    this.log.beginAt(pushed === undefined ? held : Math.min(held, pushed - 1));
    this.begun = true;
  }

  /** Takes what the feed says. Gives how far the user cleared it, when that is news. */
  handleFeed(entry: wire.FeedEntry, nowMs: number): number | undefined {
    this.log.noteLast(entry.lastSeq, nowMs, false);
    // Who has read something has it.
    const delivered = Math.max(entry.delivered, entry.read);
    this.acknowledged.handleConfirmed(Math.min(delivered, entry.lastSeq));
    this.lastTimeMs = Math.max(this.lastTimeMs, entry.lastTimeMs);
    this.count.handleFeed(entry);
    this.request = entry.request;
    this.hidden = Math.max(this.hidden, entry.hidden);
    const cleared = this.preferences.clearedUpTo;
    this.preferences = preferencesOf(entry.preferences);
    const now = this.preferences.clearedUpTo;
    return now > cleared ? now : undefined;
  }

  /**
   * An entry was taken: moves the count and the roster, and wants its
   * acknowledgement. Gives whether the server has to be asked for the count.
   */
  handleTaken(raw: Raw, entry: Entry, me: string | undefined): boolean {
    this.lastTimeMs = Math.max(this.lastTimeMs, entry.timeMs);
    if (!entry.own) this.acknowledged.handleTaken(entry.seq);
    const followed = this.roster?.follow(entry, me);
    if (followed === 'lost') this.describeAgain = true;
    // A history that was erased can't be given any more.
    if (followed === 'changed') {
      this.acknowledged.handleFloor(this.roster?.description.firstAfter ?? 0);
    }
    return this.count.handleTaken(raw, entry, me);
  }

  /** The server says who is in it and where everybody's cursors stand. */
  handleDescribed(description: Description, me: string | undefined, session: number): void {
    const own = description.members.find((member) => member.user.id === me);
    const delivered = Math.max(own?.delivered ?? 0, own?.read ?? 0);
    this.acknowledged.handleConfirmed(Math.min(delivered, this.log.last));
    this.describedIn = session;
    this.describing = false;
    this.describeAgain = false;
    const known = this.roster?.description.lastSeq ?? 0;
    if (description.lastSeq < known && this.oldDescriptions < OLD_DESCRIPTIONS) {
      // Made before entries that were followed already.
      this.oldDescriptions++;
      this.describeAgain = true;
      return;
    }
    this.oldDescriptions = 0;
    const { firstAfter, kind } = description;
    // Whoever comes late into a group begins with their coming, even where they
    // may look further back.
    const before = Math.max((own?.joinedSeq ?? 1) - 1, firstAfter);
    if (kind === 'group' && this.begun && this.log.held < before) this.begin(before);
    this.acknowledged.handleFloor(Math.min(firstAfter, this.log.last));
    this.roster = new Roster(description);
  }

  /** The server doesn't describe it: entries are emitted without names. */
  handleUndescribable(session: number): void {
    this.describedIn = session;
    this.describing = false;
    this.describeAgain = false;
    this.roster ??= Roster.unknown(this.id);
  }

  get needsDescribing(): boolean {
    return !this.describing && (!this.roster || this.describeAgain);
  }

  get needsHidden(): boolean {
    return !this.askingHidden && this.hidden > this.hiddenKnown;
  }

  /** The member with this id, as a user with a name. */
  named(user: string): User | undefined {
    return this.roster?.member(user)?.user;
  }

  /** The furthest of the others' cursors. */
  others(me: string | undefined): { delivered: number; read: number } {
    let [delivered, read] = [0, 0];
    for (const member of this.roster?.description.members ?? []) {
      if (member.user.id === me) continue;
      delivered = Math.max(delivered, member.delivered, member.read);
      read = Math.max(read, member.read);
    }
    return { delivered, read };
  }

  /** The other one of a 1:1; oneself in a conversation with oneself. */
  peer(me: string | undefined): User | undefined {
    if (!me || this.roster?.description.kind !== 'direct') return undefined;
    const { members } = this.roster.description;
    return (members.find((member) => member.user.id !== me) ?? members[0])?.user;
  }

  /** What is known of it; nothing before it was described. */
  description(): Description | undefined {
    const description = this.roster?.description;
    return (
      description && {
        ...description,
        lastSeq: this.log.last,
        firstAfter: Math.max(description.firstAfter, this.preferences.clearedUpTo),
      }
    );
  }

  line(me: string | undefined): Line {
    const others = this.others(me);
    const described = this.roster?.description;
    const former = described?.former ?? false;
    return {
      id: this.id,
      kind: described?.kind ?? 'direct',
      peer: this.peer(me),
      info: described?.info ?? { title: '', description: '', picture: '' },
      members: described?.members.length ?? 0,
      role: me && !former ? this.roster?.member(me)?.role : undefined,
      former,
      lastSeq: this.log.last,
      unread: this.count.unread,
      mentions: this.count.mentions,
      read: this.read.confirmed,
      peerDelivered: others.delivered,
      peerRead: others.read,
      lastTimeMs: this.lastTimeMs,
      preferences: this.preferences,
      request: this.request,
    };
  }

  handleDisconnected(): void {
    this.log.handleDisconnected();
    this.acknowledged.handleDisconnected();
    this.read.handleDisconnected();
    this.describing = false;
    this.describeAtMs = 0;
    this.oldDescriptions = 0;
    this.askingHidden = false;
    this.naming = 0;
  }
}
