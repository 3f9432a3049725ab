/**
 * A naive timeline to compare the real one with: it keeps everything it was ever
 * told and works every row out from the beginning, in several passes.
 */

import type { Entry, HistoryPage, Message, ReactionGroup, User } from '../../src/types.ts';
import type { MessageRow, Row } from '../../src/view/types.ts';

export const CONVERSATION = 'c0';
export const user = (n: number): User => ({ id: `u${n}`, name: `user ${n}` });
export const ME = user(0);
export const dayOf = (timeMs: number): string =>
  String(Math.floor(timeMs / 1_000)).padStart(9, '0');

/** Something said or done, in the order of the server. */
export type Doing =
  | { what: 'message'; by: number; text: string; replyTo: number; waitMs: number }
  | { what: 'edit' | 'deletion' | 'pin' | 'unpin'; by: number; on: number; text: string }
  | { what: 'reaction'; by: number; on: number; emoji: string; removed: boolean }
  | { what: 'added' | 'unknown' | 'erased'; by: number };

/** The server: the whole log as it was written. */
export class NaiveServer {
  readonly log: Entry[] = [];
  #timeMs = 10_000;

  get last(): number {
    return this.log.length;
  }

  messages(): Message[] {
    return this.log.filter((entry) => entry.type === 'message');
  }

  do(doing: Doing): void {
    const by = user(doing.by);
    this.#timeMs += 'waitMs' in doing ? doing.waitMs : 1;
    const origin = {
      conversation: CONVERSATION,
      seq: this.log.length + 1,
      sender: by,
      timeMs: this.#timeMs,
      own: by.id === ME.id,
    };
    const all = this.messages();
    const ordinal = all.length + 1;
    if (doing.what === 'message') {
      const answered = all[doing.replyTo];
      this.log.push({
        type: 'message',
        ...origin,
        ordinal,
        text: doing.text,
        replyTo: answered?.seq,
        mentions: [],
        mentionsMe: false,
        forwarded: false,
        deleted: false,
        pinned: false,
        reactions: [],
      });
    } else if ('on' in doing) {
      const on = all[doing.on % Math.max(all.length, 1)];
      if (!on) return;
      const target = on.seq;
      if (doing.what === 'edit') {
        this.log.push({ type: 'edit', ...origin, target, text: doing.text, mentions: [] });
      } else if (doing.what === 'deletion') {
        this.log.push({ type: 'deletion', ...origin, target, targetOrdinal: on.ordinal });
      } else if (doing.what === 'reaction') {
        const { emoji, removed } = doing;
        this.log.push({ type: 'reaction', ...origin, target, emoji, removed });
      } else {
        this.log.push({ type: 'pin', ...origin, target, removed: doing.what === 'unpin' });
      }
    } else if (doing.what === 'added') {
      this.log.push({ type: 'change', ...origin, what: { type: 'added', users: [user(9)] } });
    } else if (doing.what === 'erased') {
      this.log.push({ type: 'erased', ...origin, kind: 2 });
    } else {
      this.log.push({ type: 'unknown', ...origin, kind: 99, body: new Uint8Array() });
    }
  }

  /** A page as it was when the log had `asOf` entries. */
  page(from: number, to: number, asOf: number, fromCache = false): HistoryPage {
    const low = Math.max(1, from);
    const high = Math.min(to, asOf);
    const known = this.log.slice(0, asOf);
    const entries = known.slice(low - 1, high).map((entry) => nowOf(entry, known));
    const quoted = new Map<number, Message>();
    for (const entry of entries) {
      if (entry.type !== 'message' || !entry.replyTo) continue;
      if (entry.replyTo >= low && entry.replyTo <= high) continue;
      quoted.set(entry.replyTo, nowOf(known[entry.replyTo - 1] as Message, known));
    }
    return {
      entries,
      quoted: [...quoted.values()].sort((a, b) => a.seq - b.seq),
      atStart: low === 1,
      atEnd: high === asOf,
      lastSeq: asOf,
      reactionsCut: false,
      fromCache,
    };
  }
}

/** An entry as those `known` leave it. */
export function nowOf<E extends Entry>(entry: E, known: readonly Entry[]): E {
  if (entry.type !== 'message') return entry;
  const about = known.filter((other) => 'target' in other && other.target === entry.seq);
  const edit = about.findLast((other) => other.type === 'edit');
  const pin = about.findLast((other) => other.type === 'pin');
  const isDeleted = about.some((other) => other.type === 'deletion');
  const reactions: ReactionGroup[] = [];
  for (const it of about) {
    if (it.type !== 'reaction') continue;
    const at = reactions.findIndex((group) => group.emoji === it.emoji);
    const users = (reactions[at]?.users ?? []).filter((other) => other.id !== it.sender.id);
    const was = (reactions[at]?.users.length ?? 0) > users.length;
    if (it.removed === !was) continue;
    const group = { emoji: it.emoji, users: it.removed ? users : [...users, it.sender] };
    if (at < 0) reactions.push(group);
    else if (group.users.length > 0) reactions[at] = group;
    else reactions.splice(at, 1);
  }
  const now: Message = {
    ...entry,
    text: isDeleted ? '' : edit?.type === 'edit' ? edit.text : entry.text,
    pinned: !isDeleted && pin?.type === 'pin' ? !pin.removed : false,
    deleted: isDeleted,
    reactions: isDeleted ? [] : reactions,
  };
  if (edit && !isDeleted)
    return { ...now, edited: { seq: edit.seq, timeMs: edit.timeMs, first: entry.text } } as never;
  return now as never;
}

/** What a client was told. */
export class NaiveClient {
  readonly #server: NaiveServer;
  readonly given = new Set<number>();
  readonly hidden = new Set<number>();
  /** Up to where what was done to a message is known from reading it. */
  readonly #read = new Map<number, { asOf: number; cached: boolean }>();
  readonly #quoted = new Map<number, { asOf: number; cached: boolean }>();
  last = 0;
  floor = 0;
  line: { after: number; count: number } | undefined;

  constructor(server: NaiveServer) {
    this.#server = server;
  }

  takePage(page: HistoryPage): void {
    const reading = { asOf: page.lastSeq, cached: page.fromCache };
    for (const { seq } of page.entries) {
      if (seq <= this.floor) continue;
      this.given.add(seq);
      better(this.#read, seq, reading);
    }
    for (const { seq } of page.quoted) if (seq > this.floor) better(this.#quoted, seq, reading);
    this.last = Math.max(this.last, page.lastSeq);
  }

  takeEntry(seq: number): void {
    this.last = Math.max(this.last, seq);
    if (seq <= this.floor || this.given.has(seq)) return;
    this.given.add(seq);
    this.#read.set(seq, { asOf: seq, cached: false });
  }

  clear(upTo: number): void {
    this.floor = Math.max(this.floor, upTo);
    for (const seq of this.given) if (seq <= this.floor) this.given.delete(seq);
  }

  message(seq: number): Message | undefined {
    if (seq <= this.floor) return undefined;
    const reading = this.given.has(seq) ? this.#read.get(seq) : this.#quoted.get(seq);
    if (!reading) return undefined;
    const known = this.#server.log.filter(
      (entry) => entry.seq <= reading.asOf || this.given.has(entry.seq),
    );
    return nowOf(this.#server.log[seq - 1] as Message, known);
  }

  rows(): Row[] {
    const rows: Row[] = [];
    let before = 0;
    let day = '';
    const days = new Set<string>();
    let lineDue = this.line !== undefined;
    for (const seq of [...this.given].sort((a, b) => a - b)) {
      if (before > 0 && seq > before + 1) rows.push(gap(before, seq));
      before = seq;
      const row = this.#row(seq);
      if (!row) continue;
      if (dayOf(row.timeMs) !== day) {
        day = dayOf(row.timeMs);
        const key = days.has(day) ? `d${day}:${row.timeMs}` : `d${day}`;
        days.add(day);
        rows.push({ kind: 'day', key, timeMs: row.timeMs });
      }
      const { line } = this;
      const unread = row.kind === 'message' && !row.message.own && !row.message.deleted;
      if (line && lineDue && unread && seq > line.after) {
        lineDue = false;
        const holes = [];
        for (let at = line.after + 1; at <= seq; at += 1) {
          if (at > this.floor && !this.given.has(at)) holes.push(at);
        }
        if (holes.length === 0) rows.push({ kind: 'unread', key: 'unread', count: line.count });
      }
      rows.push(row.kind === 'message' ? row.row : row.row);
    }
    if (before > 0 && before < this.last) rows.push(gap(before, this.last + 1));
    return groups(rows);
  }

  #row(
    seq: number,
  ):
    | { kind: 'message'; row: MessageRow; message: Message; timeMs: number }
    | { kind: 'other'; row: Row; timeMs: number }
    | undefined {
    const entry = this.#server.log[seq - 1] as Entry;
    const { timeMs, sender, own } = entry;
    const key = `s${seq}`;
    if (entry.type === 'message') {
      const message = this.message(seq) as Message;
      if (this.hidden.has(seq)) return undefined;
      const { replyTo } = message;
      const quote = replyTo ? { seq: replyTo, message: this.message(replyTo) } : undefined;
      const progress = own ? ('sent' as const) : undefined;
      const flags = { readBy: 0, changing: false, groupStart: true, groupEnd: true };
      const row: MessageRow = { kind: 'message', key, seq, message, quote, progress, ...flags };
      return { kind: 'message', row, message, timeMs };
    }
    const origin = { key, seq, timeMs, sender, own };
    if (entry.type === 'unknown')
      return { kind: 'other', row: { kind: 'unknown', ...origin }, timeMs };
    if (entry.type === 'change') {
      return { kind: 'other', row: { kind: 'system', ...origin, what: entry.what }, timeMs };
    }
    if (entry.type === 'pin' && !entry.removed) {
      const what = { type: 'pinned' as const, target: entry.target };
      return { kind: 'other', row: { kind: 'system', ...origin, what }, timeMs };
    }
    return undefined;
  }
}

function better(
  readings: Map<number, { asOf: number; cached: boolean }>,
  seq: number,
  reading: { asOf: number; cached: boolean },
): void {
  const old = readings.get(seq);
  const first = old && !old.cached && reading.cached;
  if (first) return;
  const wins = !old || (old.cached && !reading.cached) || reading.asOf >= old.asOf;
  if (wins) readings.set(seq, reading);
}

const gap = (after: number, before: number): Row => ({
  kind: 'gap',
  key: `g${after}-${before}`,
  after,
  before,
  loading: false,
  failed: false,
});

function groups(rows: Row[]): Row[] {
  const together = (a: Row | undefined, b: Row | undefined): boolean =>
    a?.kind === 'message' &&
    b?.kind === 'message' &&
    a.message.sender.id === b.message.sender.id &&
    b.message.timeMs - a.message.timeMs < 300_000;
  return rows.map((row, i) =>
    row.kind !== 'message'
      ? row
      : {
          ...row,
          groupStart: !together(rows[i - 1], row),
          groupEnd: !together(row, rows[i + 1]),
        },
  );
}
