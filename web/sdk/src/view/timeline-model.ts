/**
 * The timeline of one conversation without I/O: what is held of the log, own
 * sends, cursors and the unread line, and the rows they make.
 *
 * `timeline.ts` drives it. Bounded: beyond {@link HELD} entries those far from
 * where was read last are let go of, and can be loaded again.
 */

import type { Entry, HistoryPage, Message, OutboxItem, Sent, User } from '../types.ts';
import { type Held, HeldLog } from './held.ts';
import { type PendingSend, pendingSend, type Update } from './items.ts';
import { gapKey, makeRows } from './rows.ts';
import type { Row } from './types.ts';

/** Entries held for one timeline, at most. */
const HELD = 20_000;

/** Keys of sent messages that are remembered, at most. */
const KEYS = 5_000;

/** Cursors of others, as receipts move them. */
export interface Cursors {
  /** Up to where the others have read: all of them. */
  readonly peerRead: number;
  readonly peerDelivered: number;
  /** The others' read cursors, ascending; empty where nobody counts them. */
  readonly reads: readonly number[];
}

/** What a page was asked for: everything that follows, or goes before, a seq. */
export interface Asked {
  readonly after?: number | undefined;
  readonly before?: number | undefined;
}

export interface ModelOptions {
  readonly conversation: string;
  /** The name of a moment's day; later days have greater names: `2026-11-22`. */
  readonly dayOf: (timeMs: number) => string;
  readonly most?: number | undefined;
}

export class TimelineModel {
  readonly #conversation: string;
  readonly #dayOf: (timeMs: number) => string;
  readonly #most: number;
  readonly #log = new HeldLog();
  readonly #hidden = new Set<number>();
  /** Keys of messages sent from here, by seq. */
  readonly #keys = new Map<number, string>();
  readonly #gaps = new Map<string, 'loading' | 'failed'>();
  #cursors: Cursors = { peerRead: 0, peerDelivered: 0, reads: [] };
  /** By local id, in the order of sending. */
  readonly #outbox = new Map<number, PendingSend>();
  /** Where sends were put, by their names on the wire. */
  readonly #places = new Map<string, number>();
  /** Sends without an answer whose entry seems to be there already: local id to seq. */
  readonly #guesses = new Map<number, number>();
  #lastSeq = 0;
  #start = false;
  #line: { readonly after: number; readonly count: number; readonly floor: number } | undefined;
  #seenEnd = 0;
  #newBelow = 0;
  #before: ReadonlyMap<string, Row> = new Map();

  constructor(options: ModelOptions) {
    this.#conversation = options.conversation;
    this.#dayOf = options.dayOf;
    this.#most = options.most ?? HELD;
  }

  get first(): number | undefined {
    return this.#log.first;
  }

  get last(): number | undefined {
    return this.#log.last;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get size(): number {
    return this.#log.size;
  }

  get newBelow(): number {
    return this.#newBelow;
  }

  /** Nothing older is there than what is held. */
  get atStart(): boolean {
    const { first, floor } = this.#log;
    return first === undefined ? this.#start : this.#start || first <= floor + 1;
  }

  /** The newest entry is held. */
  get atEnd(): boolean {
    return (this.#log.last ?? 0) >= this.#lastSeq;
  }

  /** A message as it is now, held or answered. */
  message(seq: number): Message | undefined {
    return this.#log.message(seq);
  }

  /** The key of a message's row; nothing when it is not held or not shown. */
  keyOf(seq: number): string | undefined {
    const shown = this.#log.get(seq) && !this.#hidden.has(seq);
    return shown ? (this.#keys.get(seq) ?? `s${seq}`) : undefined;
  }

  /** The hole that begins after this seq. */
  gapAfter(seq: number): { readonly after: number; readonly before: number } | undefined {
    const next = this.#log.runs.find((run) => run.from > seq);
    const before = next?.from ?? this.#lastSeq + 1;
    return this.#log.isBridged(seq, before) ? undefined : { after: seq, before };
  }

  handlePage(page: HistoryPage, asked: Asked = {}): void {
    const first = page.entries[0]?.seq;
    const last = page.entries.at(-1)?.seq;
    this.#lastSeq = Math.max(this.#lastSeq, page.lastSeq, last ?? 0);
    this.#log.putPage(page);
    for (const entry of page.entries) this.#eraseBy(entry);
    if (!page.fromCache) this.#close(page, asked);
    this.#settle();
    const eye = asked.after !== undefined ? first : last;
    if (eye !== undefined) this.#trim(eye);
  }

  handleEntry(entry: Entry): void {
    const { seq } = entry;
    const isNew = this.#log.get(seq) === undefined;
    this.#lastSeq = Math.max(this.#lastSeq, seq);
    this.#log.putEntry(entry);
    this.#eraseBy(entry);
    if (entry.type === 'message' && isNew) {
      if (entry.own) this.#guess(entry);
      else if (!entry.deleted && seq > this.#seenEnd) this.#newBelow += 1;
    }
    this.#settle();
    // Only a burst can get here; what is being read is near the end then.
    if (this.#log.size > this.#most + 1_000) this.#trim(seq);
  }

  /** The log is known to go on to here. */
  handleLast(seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq);
  }

  handleHidden(seqs: Iterable<number>): void {
    for (const seq of seqs) this.#hidden.add(seq);
  }

  /** Nothing up to here is there any more. */
  handleCleared(upTo: number): void {
    this.#log.erase(upTo);
    for (const seq of this.#hidden) if (seq <= upTo) this.#hidden.delete(seq);
  }

  /** A send is new, moved or was refused. */
  handleOutbox(item: OutboxItem, me: User): void {
    // Told too late, or said again under its id: it has its place already.
    if (this.#places.has(item.clientMessageId)) return;
    const old = this.#outbox.get(item.localId);
    const made = pendingSend(item, this.#conversation, me);
    if (!made) this.#outbox.delete(item.localId);
    // The message of a send does not change, and its row should not either.
    else this.#outbox.set(item.localId, { ...made, message: old?.message ?? made.message });
    if (item.status !== 'sending') this.#unguess(item.localId);
    this.#overlay();
  }

  /** A send is not in the outbox any more. */
  handleOutboxDone(localId: number, clientMessageId: string, sent?: Sent): void {
    const send = this.#outbox.get(localId);
    if (this.#guesses.get(localId) !== sent?.seq) this.#unguess(localId);
    this.#guesses.delete(localId);
    this.#outbox.delete(localId);
    if (sent) {
      this.#lastSeq = Math.max(this.#lastSeq, sent.seq);
      this.#places.set(clientMessageId, sent.seq);
      for (const oldest of this.#places.keys()) {
        if (this.#places.size <= KEYS) break;
        this.#places.delete(oldest);
      }
      if (send?.message) this.#remember(sent.seq, clientMessageId);
      if (send) this.#outbox.set(localId, { ...send, status: 'sent', seq: sent.seq });
    }
    this.#settle();
    this.#overlay();
  }

  setCursors(cursors: Cursors): void {
    this.#cursors = cursors;
  }

  /**
   * Puts the unread line after what is read, or takes it off. `floor` is the ordinal up to
   * which nothing is unread, since whoever writes has read what was there; 0 when unknown.
   */
  setLine(after: number | undefined, count = 0, floor = 0): void {
    this.#line = after === undefined || count === 0 ? undefined : { after, count, floor };
  }

  /** After which seq the unread line stands, as far as is held. */
  #lineAfter(): number | undefined {
    if (!this.#line) return undefined;
    const { after, floor } = this.#line;
    if (floor === 0) return after;
    let found = after;
    for (const run of this.#log.runs.toReversed())
      for (let i = run.entries.length - 1; i >= 0; i--) {
        const { seq, entry } = run.entries[i] as Held;
        if (entry.type !== 'message' || entry.ordinal > floor + 1) continue;
        // The very first one says where the line is also when none before it is held.
        if (entry.ordinal <= floor) return Math.max(found, seq);
        found = Math.max(found, seq - 1);
      }
    return found;
  }

  /** The reader saw the end. */
  sawEnd(): void {
    this.#seenEnd = this.#lastSeq;
    this.#newBelow = 0;
  }

  setGap(after: number, before: number, state: 'loading' | 'failed' | undefined): void {
    if (state) this.#gaps.set(gapKey(after, before), state);
    else this.#gaps.delete(gapKey(after, before));
  }

  /** When the first of the messages that are held gets too old to be shown, after `nowMs`. */
  expiresMs(nowMs: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const run of this.#log.runs)
      for (const { entry } of run.entries)
        if (entry.type === 'message' && entry.expiresMs && entry.expiresMs > nowMs)
          at = Math.min(at, entry.expiresMs);
    return at;
  }

  /** The rows; those that did not change are the same objects as before. */
  rows(nowMs = 0): readonly Row[] {
    const guessed = (send: PendingSend): boolean => this.#guesses.has(send.localId);
    const rows = makeRows({
      log: this.#log,
      lastSeq: this.#lastSeq,
      hidden: this.#hidden,
      pending: [...this.#outbox.values()].filter((send) => !guessed(send)),
      ...this.#cursors,
      unreadAfter: this.#lineAfter(),
      unreadCount: this.#line?.count ?? 0,
      keys: this.#keys,
      gaps: this.#gaps,
      dayOf: this.#dayOf,
      nowMs,
      before: this.#before,
    });
    const own = rows.filter((row) => !('seq' in row) || row.seq === 0);
    this.#before = new Map(own.map((row) => [row.key, row]));
    for (const key of this.#gaps.keys()) if (!this.#before.has(key)) this.#gaps.delete(key);
    return rows;
  }

  /** Notes what a page says about where nothing is. */
  #close(page: HistoryPage, asked: Asked): void {
    const first = page.entries[0]?.seq;
    const last = page.entries.at(-1)?.seq;
    if (asked.after !== undefined && first !== undefined) this.#log.bridge(asked.after, first);
    if (asked.before !== undefined && last !== undefined) this.#log.bridge(last, asked.before);
    if (page.atStart && (first === undefined || this.#log.first === first)) this.#start = true;
  }

  /** An entry may say that those before it are gone. */
  #eraseBy(entry: Entry): void {
    if (entry.type === 'change' && entry.what.type === 'erased') {
      this.handleCleared(Math.min(entry.what.upTo, entry.seq - 1));
    }
  }

  /** Sends whose entry has come are shown by it alone. */
  #settle(): void {
    let changed = false;
    for (const [localId, { seq }] of this.#outbox) {
      if (seq === undefined || (!this.#log.get(seq) && seq > this.#log.floor)) continue;
      this.#outbox.delete(localId);
      changed = true;
    }
    if (changed) this.#overlay();
  }

  /** Shows own updates that are on their way as if they were done. */
  #overlay(): void {
    const updates = new Map<number, Update[]>();
    for (const { update } of this.#outbox.values()) {
      if (update) updates.set(update.target, [...(updates.get(update.target) ?? []), update]);
    }
    this.#log.setPending(updates);
  }

  /**
   * After a reconnect an own entry can come before the answer to its send. It
   * is shown in that one's place until the answer tells.
   */
  #guess(message: Message): void {
    if (this.#keys.has(message.seq)) return;
    for (const send of this.#outbox.values()) {
      const { localId, status, message: sent } = send;
      if (status !== 'sending' || !sent || this.#guesses.has(localId)) continue;
      if (sent.text !== message.text || sent.replyTo !== message.replyTo) continue;
      this.#guesses.set(localId, message.seq);
      this.#remember(message.seq, send.clientMessageId);
      return;
    }
  }

  #unguess(localId: number): void {
    const seq = this.#guesses.get(localId);
    if (seq === undefined) return;
    this.#guesses.delete(localId);
    this.#keys.delete(seq);
  }

  #remember(seq: number, clientMessageId: string): void {
    this.#keys.set(seq, `c${clientMessageId}`);
    for (const old of this.#keys.keys()) {
      if (this.#keys.size <= KEYS) return;
      this.#keys.delete(old);
    }
  }

  #trim(eye: number): void {
    if (this.#log.size <= this.#most) return;
    this.#log.trim(eye, this.#most);
    if ((this.#log.first ?? 0) > this.#log.floor + 1) this.#start = false;
  }
}
