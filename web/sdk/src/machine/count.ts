/**
 * What is unread: the feed's count, moved on by the entries that follow it.
 *
 * The server counts; the device only carries its number on until the next word
 * of the feed, so that a list is right at once. Where it can't be sure (a
 * deletion may be counted already, a cursor may stand amid the unread) it keeps
 * its guess, says that it doubts, and the feed is asked.
 */

import * as wire from '../gen/wire.ts';
import type { Raw } from '../history.ts';
import type { Entry } from '../model.ts';
import type { StoredCount } from '../store.ts';

export class Count {
  unread = 0;
  mentions = 0;
  /** Messages up to `upTo`; a lower bound. */
  ordinal = 0;
  /** Messages up to the furthest of read, own last message, joining; a lower bound. */
  floor = 0;
  /** Version of the feed entry it comes from. */
  version = 0;
  /** It may be wrong until the feed speaks again. */
  doubtful = false;

  constructor(
    /** Up to which seq is counted. */
    public upTo: number,
    saved?: StoredCount,
  ) {
    Object.assign(this, saved);
  }

  saved(): StoredCount {
    return { ...this };
  }

  /** Takes the feed's word, unless it is older than our own. */
  handleFeed(entry: wire.FeedEntry): void {
    this.version = Math.max(this.version, entry.version);
    this.floor = Math.max(this.floor, entry.floorOrdinal);
    this.ordinal = Math.max(this.ordinal, entry.lastOrdinal);
    if (entry.lastSeq < this.upTo) return;
    this.upTo = entry.lastSeq;
    this.unread = entry.unread;
    this.mentions = entry.mentions;
    this.doubtful = false;
  }

  /** Takes the next entry. Gives whether that leaves a doubt. */
  handleTaken(raw: Raw, entry: Entry, me: string | undefined): boolean {
    this.ordinal = Math.max(this.ordinal, raw.ordinal);
    if (raw.seq <= this.upTo) return false;
    this.upTo = raw.seq;
    switch (entry.type) {
      case 'message':
        // Who answers has read.
        if (entry.own) this.allRead();
        else {
          this.unread++;
          if (entry.mentionsMe) this.mentions++;
        }
        return false;
      case 'deletion':
        if (entry.targetOrdinal <= this.floor) return false;
        this.unread = Math.max(0, this.unread - 1);
        return this.doubt();
      case 'change': {
        const { what } = entry;
        if (what.type === 'erased') return this.doubt();
        // Coming into a group is a floor of its own.
        const comes =
          (what.type === 'joined' && entry.own) ||
          (what.type === 'added' && what.users.some((user) => user.id === me));
        if (comes) this.allRead();
        return false;
      }
      case 'erased':
      case 'unknown':
        // Erased by its age, or newer than this build: it may count.
        return raw.kind === wire.EntryKind.TEXT && this.doubt();
      default:
        return false;
    }
  }

  /** The user's read cursor stands at `upTo`. Gives whether that leaves a doubt. */
  handleRead(upTo: number): boolean {
    if (upTo >= this.upTo) this.allRead();
    return this.unread > 0 && this.doubt();
  }

  private allRead(): void {
    this.unread = 0;
    this.mentions = 0;
    this.floor = Math.max(this.floor, this.ordinal);
  }

  private doubt(): boolean {
    this.doubtful = true;
    return true;
  }
}
