/**
 * The entries kept for offline reading: the newest so many of each conversation,
 * and by message what was done to it.
 *
 * What is deleted, hidden or cleared is gone from the database, not just marked:
 * the row is written again without its text.
 */

import type { IDBPTransaction } from 'idb';
import type { Range, StoredEntry, StoredPage } from '../types.ts';
import { blank, isErased, replyTo } from './bytes.ts';
import type { Database, Layout, TABLES } from './database.ts';

type Names = (typeof TABLES)[number][];
export type Writing = IDBPTransaction<Layout, Names, 'readwrite'>;
type Reading = IDBPTransaction<Layout, Names, 'readonly'>;

/** Numbers of `EntryKind`. */
const TEXT = 1;
const EDIT = 2;
const DELETE = 3;

/** Most entries of one page, and of what belongs to it. */
const PAGE = 200;
const RELATED = 2_000;

/** Above every seq. */
export const MOST = Number.MAX_SAFE_INTEGER;

/** Keeps an entry of the log. */
export async function putEntry(tx: Writing, id: string, entry: StoredEntry): Promise<void> {
  const entries = tx.objectStore('entries');
  // What the server lost this device may have yet.
  if (entry.damaged && (await entries.getKey([id, entry.seq])) !== undefined) return;
  await entries.put(entry, [id, entry.seq]);
  // It may have been known as an answered message.
  if (entry.kind === TEXT) await tx.objectStore('related').delete([id, entry.seq, entry.seq]);
  if (isErased(entry.bytes)) await forgetEdits(tx, id, entry.seq);
  else if (entry.target) await relate(tx, id, entry);
}

/** Keeps what an entry does to another, or an answered message, without a place of its own. */
export async function relate(tx: Writing, id: string, entry: StoredEntry): Promise<void> {
  const target = entry.target ?? (entry.kind === TEXT ? entry.seq : 0);
  if (target === 0 || isErased(entry.bytes)) return;
  // A message in the log needs no second place.
  if (entry.target === undefined) {
    if ((await tx.objectStore('entries').getKey([id, entry.seq])) !== undefined) return;
  }
  await tx.objectStore('related').put(entry, [id, target, entry.seq]);
  if (entry.kind === DELETE) await erase(tx, id, target);
}

/** Takes the text of a message, and of its edits, out of the database. */
export async function erase(tx: Writing, id: string, seq: number): Promise<void> {
  await blankRow(tx, id, seq);
  await tx.objectStore('related').delete([id, seq, seq]);
  await forgetEdits(tx, id, seq);
}

/** Nothing up to this seq is there any more. */
export async function clear(tx: Writing, id: string, upTo: number): Promise<void> {
  await tx.objectStore('entries').delete(IDBKeyRange.bound([id, 0], [id, upTo]));
  await tx.objectStore('related').delete(IDBKeyRange.bound([id, 0, 0], [id, upTo, MOST]));
}

/** Takes out the texts of what is too old to be kept. */
export async function expire(tx: Writing, id: string, nowMs: number): Promise<void> {
  const conversation = await tx.objectStore('conversations').get(id);
  if (!conversation?.periods) return;
  const { periods, roster } = conversation;
  const isOld = ({ kind, seq, sender, timeMs, bytes }: StoredEntry): boolean => {
    if (kind !== TEXT || isErased(bytes)) return false;
    // In a 1:1 each side sets it for its own messages.
    const counts = periods.findLast(
      (it) => it.after < seq && (roster?.kind === 'group' || it.by === sender),
    );
    return (
      counts !== undefined && counts.retentionS > 0 && timeMs + counts.retentionS * 1_000 <= nowMs
    );
  };
  const rows = await tx.objectStore('entries').getAll(IDBKeyRange.bound([id, 0], [id, MOST]));
  for (const { seq } of rows.filter(isOld)) await erase(tx, id, seq);
  // Answered messages from elsewhere.
  const related = IDBKeyRange.bound([id, 0, 0], [id, MOST, MOST]);
  for (const { seq } of (await tx.objectStore('related').getAll(related)).filter(isOld)) {
    await erase(tx, id, seq);
  }
}

/** Keeps the newest `most` entries of a conversation. */
export async function trim(tx: Writing, id: string, most: number): Promise<void> {
  const last = await newest(tx, id);
  if (last !== undefined && last > most) await clear(tx, id, last - most);
}

async function forgetEdits(tx: Writing, id: string, target: number): Promise<void> {
  const all = IDBKeyRange.bound([id, target, 0], [id, target, MOST]);
  for (const row of await tx.objectStore('related').getAll(all)) {
    if (row.kind !== EDIT) continue;
    await tx.objectStore('related').delete([id, target, row.seq]);
    await blankRow(tx, id, row.seq);
  }
}

async function blankRow(tx: Writing, id: string, seq: number): Promise<void> {
  const entries = tx.objectStore('entries');
  const row = await entries.get([id, seq]);
  if (row && !isErased(row.bytes))
    await entries.put({ ...row, bytes: blank(row.bytes) }, [id, seq]);
}

async function newest(tx: Writing | Reading, id: string): Promise<number | undefined> {
  const all = IDBKeyRange.bound([id, 0], [id, MOST]);
  const cursor = await tx.objectStore('entries').openKeyCursor(all, 'prev');
  return cursor?.key[1];
}

/** The cached part of a range, or nothing when what it is about is not cached. */
export async function readPage(
  database: Database,
  id: string,
  range: Range,
  limit: number,
): Promise<StoredPage | undefined> {
  const tx = database.transaction(['entries', 'related', 'conversations'] as Names, 'readonly');
  const last = await newest(tx, id);
  if (last === undefined) return undefined;
  const size = limit > 0 ? Math.min(limit, PAGE) : PAGE;
  const entries = await run(tx, id, range, size, last);
  const first = entries?.[0];
  if (!entries || !first) return undefined;
  const conversation = await tx.objectStore('conversations').get(id);
  const floor = Math.max(
    conversation?.roster?.firstAfter ?? 0,
    conversation?.preferences?.clearedUpTo ?? 0,
  );
  return {
    entries,
    related: await relatedOf(tx, id, entries),
    atStart: first.seq <= floor + 1,
    atEnd: entries.at(-1)?.seq === last,
  };
}

/** The run without holes that a range asks for. */
async function run(
  tx: Reading,
  id: string,
  range: Range,
  limit: number,
  last: number,
): Promise<StoredEntry[] | undefined> {
  const read = (from: number, to: number): Promise<StoredEntry[]> =>
    tx.objectStore('entries').getAll(IDBKeyRange.bound([id, Math.max(from, 1)], [id, to]));
  switch (range.type) {
    case 'after': {
      const rows = await read(range.seq + 1, range.seq + limit);
      return rows[0]?.seq === range.seq + 1 ? piece(rows, range.seq + 1) : undefined;
    }
    case 'before': {
      if (range.seq > last) return piece(await read(last - limit + 1, last), last);
      const to = range.seq - 1;
      return piece(await read(range.seq - limit, to), to);
    }
    case 'latest':
      return piece(await read(last - limit + 1, last), last);
    case 'around':
      return around(read, range.seq, limit);
    case 'aroundTime': {
      const all = await read(1, last);
      // What a clock that was ahead stamped is as old as what came behind it.
      const first = all[all.findLastIndex((row) => row.timeMs < range.timeMs) + 1];
      return around(read, first?.seq ?? last, limit);
    }
    default:
      return undefined;
  }
}

const around = async (
  read: (from: number, to: number) => Promise<StoredEntry[]>,
  seq: number,
  limit: number,
): Promise<StoredEntry[] | undefined> => {
  const half = Math.ceil(limit / 2);
  return piece(await read(seq - half, seq + limit - half - 1), seq);
};

/** The rows in one piece with the one at `seq`; nothing when it is missing. */
function piece(rows: StoredEntry[], seq: number): StoredEntry[] | undefined {
  const at = rows.findIndex((row) => row.seq === seq);
  if (at < 0) return undefined;
  const isNext = (i: number): boolean => rows[i]?.seq === (rows[i - 1]?.seq ?? -1) + 1;
  let from = at;
  while (from > 0 && isNext(from)) from -= 1;
  let to = at + 1;
  while (to < rows.length && isNext(to)) to += 1;
  return rows.slice(from, to);
}

/** What was done to the page's messages, and what they answer. */
async function relatedOf(
  tx: Reading,
  id: string,
  entries: readonly StoredEntry[],
): Promise<StoredEntry[]> {
  const from = entries[0]?.seq ?? 0;
  const to = entries.at(-1)?.seq ?? 0;
  const done = tx.objectStore('related');
  const found = await done.getAll(IDBKeyRange.bound([id, from, 0], [id, to, MOST]), RELATED);
  const texts = entries.filter((entry) => entry.kind === TEXT && !isErased(entry.bytes));
  const answered = new Set(texts.map((entry) => replyTo(entry.bytes)));
  for (const seq of answered) {
    if (seq === 0 || (seq >= from && seq <= to)) continue;
    if (found.length >= RELATED) break;
    const entry = await tx.objectStore('entries').get([id, seq]);
    if (entry) found.push(entry);
    // An answered message from elsewhere lies among what was done to it.
    const about = IDBKeyRange.bound([id, seq, 0], [id, seq, MOST]);
    found.push(...(await done.getAll(about, RELATED - found.length)));
  }
  return found.sort((a, b) => a.seq - b.seq);
}
