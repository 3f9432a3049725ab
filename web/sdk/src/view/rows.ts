/**
 * From what is held to what is shown: messages, days, the unread line, gaps, and
 * own sends at the end.
 *
 * A row that would be the same as before is the same object, so that a user
 * interface draws only what changed.
 */

import type { Message } from '../types.ts';
import { isExpired } from './fold.ts';
import type { Held, HeldLog } from './held.ts';
import type { PendingSend } from './items.ts';
import type { Run } from './runs.ts';
import type { GapRow, MessageRow, Progress, Quote, Row, SystemEvent } from './types.ts';

/** Messages of one sender within this time are shown as one group. */
const GROUP_MS = 5 * 60_000;

export interface RowsInput {
  readonly log: HeldLog;
  /** The highest seq known to exist. */
  readonly lastSeq: number;
  /** Messages this reader hid from themselves. */
  readonly hidden: ReadonlySet<number>;
  readonly pending: readonly PendingSend[];
  /** Own messages are read by all others, and delivered to one of them, up to here. */
  readonly peerRead: number;
  readonly peerDelivered: number;
  /** The others' read cursors, ascending; empty where nobody counts them. */
  readonly reads: readonly number[];
  /** The unread line comes before the first message of others after this seq. */
  readonly unreadAfter?: number | undefined;
  readonly unreadCount: number;
  /** Keys of messages that were sent from here, by seq. */
  readonly keys: ReadonlyMap<number, string>;
  /** State of gaps, by key. */
  readonly gaps: ReadonlyMap<string, 'loading' | 'failed'>;
  /** The device's clock: what is too old by now is left out. */
  readonly nowMs: number;
  /** The name of a moment's day, in order: `2026-11-22`. */
  readonly dayOf: (timeMs: number) => string;
  /** Rows that are not an entry's, and those of pending sends, of last time. */
  readonly before: ReadonlyMap<string, Row>;
}

/** Makes the rows. One pass over what is held. */
export function makeRows(input: RowsInput): Row[] {
  return new Maker(input).make();
}

export const gapKey = (after: number, before: number): string => `g${after}-${before}`;

class Maker {
  readonly #in: RowsInput;
  readonly #rows: Row[] = [];
  #day = '';
  /** Days that have a line. */
  readonly #days = new Set<string>();
  /** The message row before, while a group may go on, and where it was kept. */
  #open: { row: MessageRow; held?: Held | undefined } | undefined;
  #lineDue: boolean;

  constructor(input: RowsInput) {
    this.#in = input;
    this.#lineDue = input.unreadAfter !== undefined && input.unreadCount > 0;
  }

  make(): Row[] {
    const { log, lastSeq, pending } = this.#in;
    let before: Run<Held> | undefined;
    for (const run of log.runs) {
      if (before) this.#gap(before.from + before.entries.length - 1, run.from);
      const whole = this.#isLineWhole(run);
      for (const held of run.entries) this.#entry(held, whole);
      before = run;
    }
    if (log.last !== undefined && log.last < lastSeq) this.#gap(log.last, lastSeq + 1);
    for (const send of pending) if (send.message) this.#send(send, send.message);
    this.#close();
    return this.#rows;
  }

  #gap(after: number, before: number): void {
    if (this.#in.log.isBridged(after, before)) return;
    this.#close();
    const key = gapKey(after, before);
    const state = this.#in.gaps.get(key);
    const row: GapRow = {
      kind: 'gap',
      key,
      after,
      before,
      loading: state === 'loading',
      failed: state === 'failed',
    };
    this.#rows.push(this.#same(row));
  }

  /** Whether the first unread message of all is held if one of this run is unread. */
  #isLineWhole(run: Run<Held>): boolean {
    const after = this.#in.unreadAfter;
    return after !== undefined && run.from <= Math.max(after, this.#in.log.floor) + 1;
  }

  #entry(held: Held, lineIsWhole: boolean): void {
    const { entry } = held;
    switch (entry.type) {
      case 'message': {
        if (this.#in.hidden.has(held.seq)) return;
        const message = this.#in.log.now(held);
        if (message && !isExpired(message, this.#in.nowMs))
          this.#message(held, message, lineIsWhole);
        return;
      }
      case 'pin':
        if (!entry.removed) this.#notice(held, { type: 'pinned', target: entry.target });
        return;
      case 'change':
        this.#notice(held, entry.what);
        return;
      case 'unknown':
        this.#notice(held);
        return;
      case 'damaged':
        // It has no time, so no day either.
        this.#close();
        held.row ??= { kind: 'damaged', key: `s${held.seq}`, seq: held.seq };
        this.#rows.push(held.row);
        return;
      default:
        return;
    }
  }

  /** A row of its own that never changes; without `what` it can't be said what. */
  #notice(held: Held, what?: SystemEvent): void {
    const { seq, timeMs, sender, own } = held.entry;
    this.#dayLine(this.#dayOfHeld(held), timeMs);
    this.#close();
    const origin = { key: `s${seq}`, seq, timeMs, sender, own };
    held.row ??= what ? { kind: 'system', ...origin, what } : { kind: 'unknown', ...origin };
    this.#rows.push(held.row);
  }

  #message(held: Held, message: Message, lineIsWhole: boolean): void {
    this.#dayLine(this.#dayOfHeld(held), message.timeMs);
    const { unreadAfter = 0 } = this.#in;
    if (this.#lineDue && !message.own && !message.deleted && held.seq > unreadAfter) {
      this.#lineDue = false;
      if (lineIsWhole) this.#unreadLine();
    }
    const { log, keys, peerRead, peerDelivered } = this.#in;
    const { seq } = held;
    let progress: Progress | undefined;
    if (message.own) {
      progress = seq <= peerRead ? 'read' : seq <= peerDelivered ? 'delivered' : 'sent';
    }
    const key = keys.get(seq) ?? `s${seq}`;
    const readBy = message.own ? this.#readBy(seq) : 0;
    const quoted = message.replyTo ? log.messageAt(message.replyTo, this.#in.nowMs) : undefined;
    const changing = log.isChanging(seq);
    const groupStart = this.#startsGroup(message);
    const old = held.row?.kind === 'message' ? held.row : undefined;
    const same =
      old !== undefined &&
      old.message === message &&
      old.key === key &&
      old.progress === progress &&
      old.readBy === readBy &&
      old.quote?.message === quoted &&
      old.changing === changing &&
      old.groupStart === groupStart;
    const row: MessageRow = same
      ? old
      : {
          kind: 'message',
          key,
          seq,
          message,
          quote: quote(message, quoted),
          progress,
          readBy,
          changing,
          groupStart,
          groupEnd: true,
        };
    held.row = row;
    this.#open = { row, held };
    this.#rows.push(row);
  }

  /** An own send that is not committed. */
  #send(send: PendingSend, sent: Message): void {
    const { log } = this.#in;
    // The clocks differ: it can't be before what is above it.
    const timeMs = Math.max(sent.timeMs, this.#open?.row.message.timeMs ?? 0);
    this.#dayLine(this.#in.dayOf(timeMs), timeMs);
    const quoted = sent.replyTo ? log.messageAt(sent.replyTo, this.#in.nowMs) : undefined;
    const key = `c${send.clientMessageId}`;
    const groupStart = this.#startsGroup(sent);
    const old = this.#in.before.get(key);
    const same =
      old?.kind === 'message' &&
      old.message === sent &&
      old.localId === send.localId &&
      old.progress === send.status &&
      old.quote?.message === quoted &&
      old.error === send.error &&
      old.groupStart === groupStart;
    const row: MessageRow = same
      ? old
      : {
          kind: 'message',
          key,
          seq: 0,
          message: sent,
          quote: quote(sent, quoted),
          progress: send.status,
          localId: send.localId,
          error: send.error,
          readBy: 0,
          changing: false,
          groupStart,
          groupEnd: true,
        };
    this.#open = { row };
    this.#rows.push(row);
  }

  /** Whether a message begins a group; if not, the one before is not its group's last. */
  #startsGroup(message: Message): boolean {
    const open = this.#open;
    const goesOn =
      open !== undefined &&
      open.row.message.sender.id === message.sender.id &&
      Math.abs(message.timeMs - open.row.message.timeMs) < GROUP_MS;
    this.#finish(!goesOn);
    return !goesOn;
  }

  /** Ends the group that is open. */
  #close(): void {
    this.#finish(true);
    this.#open = undefined;
  }

  /** Says of the message before whether it ends its group. */
  #finish(groupEnd: boolean): void {
    const open = this.#open;
    if (!open || open.row.groupEnd === groupEnd) return;
    // Groups end elsewhere than when this row was made.
    const row = { ...open.row, groupEnd };
    if (open.held) open.held.row = row;
    this.#rows[this.#rows.length - 1] = row;
  }

  #dayLine(day: string, timeMs: number): void {
    if (day === this.#day) return;
    this.#day = day;
    this.#close();
    // After a clock that was ahead a day comes again, under another key.
    const key = this.#days.has(day) ? `d${day}:${timeMs}` : `d${day}`;
    this.#days.add(day);
    this.#rows.push(this.#in.before.get(key) ?? { kind: 'day', key, timeMs });
  }

  #dayOfHeld(held: Held): string {
    held.day ??= this.#in.dayOf(held.entry.timeMs);
    return held.day;
  }

  #unreadLine(): void {
    this.#close();
    this.#rows.push(this.#same({ kind: 'unread', key: 'unread', count: this.#in.unreadCount }));
  }

  /** How many of the others' cursors are at or above this. */
  #readBy(seq: number): number {
    const { reads } = this.#in;
    let low = 0;
    let high = reads.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((reads[middle] as number) < seq) low = middle + 1;
      else high = middle;
    }
    return reads.length - low;
  }

  /** The row of last time, if nothing in it changed. */
  #same<R extends Row>(row: R): Row {
    const old = this.#in.before.get(row.key) as R | undefined;
    const same =
      old !== undefined &&
      (Object.keys(row) as (keyof R)[]).every((name) => old[name] === row[name]);
    return same ? old : row;
  }
}

const quote = (message: Message, quoted: Message | undefined): Quote | undefined =>
  message.replyTo ? { seq: message.replyTo, message: quoted } : undefined;
