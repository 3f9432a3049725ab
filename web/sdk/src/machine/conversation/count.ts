/**
 * What is unread: the feed's count, moved on by the entries that follow it.
 *
 * The server counts; the device only carries its number on until the feed tells
 * the next one, so that a list is right at once. Where it can't be sure (a
 * deletion may be counted already, a cursor may stand amid the unread) it keeps
 * its guess, which is stale from then on, and the feed is asked.
 */

import * as wire from '../../gen/wire.ts';
import type { Raw } from '../../history.ts';
import type { Entry } from '../../model.ts';
import type { StoredCount } from '../../store.ts';

/** As it is stored; `doubtful` when it is stale. */
type Value = { -readonly [K in keyof StoredCount]: StoredCount[K] };

export class Count {
  readonly #value: Value;

  /** Counts from the entry after `upTo`, or goes on as it was saved. */
  constructor(upTo: number, saved?: StoredCount) {
    const none = { unread: 0, mentions: 0, ordinal: 0, floor: 0, version: 0, doubtful: false };
    this.#value = { ...none, upTo, ...saved };
  }

  /** As it is now. It may be wrong, until the feed tells it again, when it is `doubtful`. */
  get value(): StoredCount {
    return this.#value;
  }

  /** Takes the feed's count, unless it is older than our own. */
  handleFeed(entry: wire.FeedEntry): void {
    this.#value.version = Math.max(this.#value.version, entry.version);
    this.#value.floor = Math.max(this.#value.floor, entry.floorOrdinal);
    this.#value.ordinal = Math.max(this.#value.ordinal, entry.lastOrdinal);
    if (entry.lastSeq < this.#value.upTo) return;
    this.#value.upTo = entry.lastSeq;
    this.#value.unread = entry.unread;
    this.#value.mentions = entry.mentions;
    this.#value.doubtful = false;
  }

  /** Takes the next entry. Returns whether that makes it stale. */
  handleTaken(raw: Raw, entry: Entry, me: string | undefined): boolean {
    this.#value.ordinal = Math.max(this.#value.ordinal, raw.ordinal);
    if (raw.seq <= this.#value.upTo) return false;
    this.#value.upTo = raw.seq;
    switch (entry.type) {
      case 'message':
        // Who answers has read.
        if (entry.own) this.#allRead();
        else {
          this.#value.unread++;
          if (entry.mentionsMe) this.#value.mentions++;
        }
        return false;
      case 'deletion':
        if (entry.targetOrdinal <= this.#value.floor) return false;
        this.#value.unread = Math.max(0, this.#value.unread - 1);
        return this.#makeStale();
      case 'change': {
        const { what } = entry;
        if (what.type === 'erased') return this.#makeStale();
        // Coming into a group is a floor of its own.
        const comes =
          (what.type === 'joined' && entry.own) ||
          (what.type === 'added' && what.users.some((user) => user.id === me));
        if (comes) this.#allRead();
        return false;
      }
      case 'erased':
      case 'unknown':
        // Erased by its age, or newer than this build: it may count.
        return raw.kind === wire.EntryKind.TEXT && this.#makeStale();
      case 'damaged':
        return this.#makeStale();
      default:
        return false;
    }
  }

  /** The user's read cursor stands at `upTo`. Returns whether that makes it stale. */
  handleRead(upTo: number): boolean {
    if (upTo >= this.#value.upTo) this.#allRead();
    return this.#value.unread > 0 && this.#makeStale();
  }

  /** Messages grew too old: all that are unread, or perhaps some. Returns whether it is stale. */
  handleExpired(all: boolean): boolean {
    if (all) this.#value.unread = this.#value.mentions = 0;
    return this.#value.unread > 0 && this.#makeStale();
  }

  #allRead(): void {
    this.#value.unread = 0;
    this.#value.mentions = 0;
    this.#value.floor = Math.max(this.#value.floor, this.#value.ordinal);
  }

  #makeStale(): boolean {
    this.#value.doubtful = true;
    return true;
  }
}
