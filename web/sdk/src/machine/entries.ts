/**
 * Entries that come, pushed or fetched: offered to their log, taken in order,
 * emitted with names.
 */

import { decode } from '../codec.ts';
import * as wire from '../gen/wire.ts';
import { type Page, people, type Raw, rawEntries, readEntry, stored } from '../history.ts';
import { uuid } from '../ids.ts';
import type { Range } from '../model.ts';
import { reply } from './calls.ts';
import type { Tick } from './connect.ts';
import { askFeedNow, doubt, moveFeed } from './feed.ts';
import type { Machine } from './machine.ts';
import { callNextInLine } from './outbound.ts';
import { canName, nameIn, stoppedTyping } from './people.ts';

export function handleDeliver(m: Machine, tick: Tick, deliver: wire.Deliver): void {
  const id = uuid(deliver.conversation);
  // Whether it is a stranger's request is said by the feed alone. Asked before
  // the description, without which nothing is emitted.
  if (!m.fresh && !m.conversations.has(id)) askFeedNow(m, tick);
  m.conversation(id);
  offer(m, id, rawEntries(deliver.entries));
  advance(m, id);
  moveFeed(m, deliver.feedPosition);
}

/** Offers entries to the log. Gives the lowest seq. */
function offer(m: Machine, id: string, entries: readonly Raw[]): number | undefined {
  const it = m.conversations.get(id);
  if (!it || entries.length === 0) return undefined;
  let [from, to] = [0, -1];
  // One that can't be read leaves a gap, which is fetched; when that brings
  // nothing better, the log stalls there and the rest works.
  for (const entry of entries) {
    if (entry.seq !== to + 1) {
      if (from > 0) it.acknowledged.handleGiven(from, to);
      from = entry.seq;
    }
    to = entry.seq;
    it.log.offer(entry);
  }
  it.acknowledged.handleGiven(from, to);
  return Math.min(...entries.map((entry) => entry.seq));
}

/** The answer to the fetch of a gap. */
export function handleGapPage(m: Machine, tick: Tick, id: string, page: wire.Fetched): void {
  m.fetching = Math.max(0, m.fetching - 1);
  callNextInLine(m);
  const first = offer(m, id, rawEntries(page.entries));
  const it = m.conversations.get(id);
  if (!it) return;
  it.log.noteLast(page.lastSeq, tick.nowMs, false);
  advance(m, id);
  if (page.atStart && first !== undefined) it.acknowledged.handleFloor(first - 1);
  it.log.finishFetch(first, page.atStart, tick.nowMs);
  advance(m, id);
}

/** The answer to the fetch of what this session must have been given. */
export function handleCover(m: Machine, id: string, page: wire.Fetched): void {
  m.fetching = Math.max(0, m.fetching - 1);
  callNextInLine(m);
  const it = m.conversations.get(id);
  if (!it) return;
  const before = it.acknowledged.covered;
  const first = offer(m, id, rawEntries(page.entries));
  if (page.atStart && first !== undefined) it.acknowledged.handleFloor(first - 1);
  it.acknowledged.finishRecovery(it.acknowledged.covered > before);
  advance(m, id);
}

/** The answer to a question of the application. */
export function handlePage(m: Machine, tick: Tick, call: number, fetched: wire.Fetched): void {
  const id = uuid(fetched.conversation);
  const entries = rawEntries(fetched.entries);
  const related = rawEntries(fetched.related);
  const asked = m.calls.get(call)?.call;
  const dense = asked?.type === 'fetch' && isDense(asked.range);
  const it = m.conversations.get(id);
  if (it) {
    const [first, last] = [entries[0], entries.at(-1)];
    if (dense && first && last) it.acknowledged.handleGiven(first.seq, last.seq);
    it.log.noteLast(fetched.lastSeq, tick.nowMs, true);
    if (dense && fetched.atStart && first) dropBefore(m, id, first.seq);
    m.touch(id);
  }
  for (const entry of related) {
    m.save({ type: 'related', conversation: id, entry: stored(entry) });
  }
  // Of what lies apart, only what is done to others has a place in the cache.
  for (const entry of entries) {
    m.save({ type: dense ? 'entry' : 'related', conversation: id, entry: stored(entry) });
  }
  const { atStart, atEnd, lastSeq, relatedCut } = fetched;
  const page: Page = { entries, related, atStart, atEnd, lastSeq, relatedCut, fromCache: false };
  reply(m, call, page);
}

/** A conversation begins here for this user by now: what is older went by its age, and goes from the device too. */
function dropBefore(m: Machine, id: string, seq: number): void {
  const it = m.conversations.get(id);
  const upTo = seq - 1;
  if (!it || upTo <= it.goneUpTo) return;
  it.goneUpTo = upTo;
  m.save({ type: 'cleared', conversation: id, upTo });
  m.emit({ type: 'cleared', conversation: id, upTo });
}

/** Whether an answer holds every entry from its first to its last. */
export function isDense(range: Range): boolean {
  return !['mentionsBefore', 'pinned', 'editsOf'].includes(range.type);
}

/** Takes and emits what is next in order, as far as names are known. */
export function advance(m: Machine, id: string): void {
  const it = m.conversations.get(id);
  if (!it) return;
  while (it.begun && it.roster) {
    const next = it.log.peek();
    if (!next || !canName(m, it, next.seq, people(next))) break;
    it.log.take();
    const reader = { conversation: id, me: m.me, name: (user: string) => nameIn(m, it, user) };
    const entry = readEntry(reader, next);
    const doubtful = it.handleTaken(next, entry, m.me);
    stoppedTyping(m, id, next.sender);
    keep(m, id, next);
    if (doubtful) doubt(m);
    m.emit({ type: 'entry', entry });
    if (entry.type === 'change' && entry.what.type === 'erased') {
      m.emit({ type: 'cleared', conversation: id, upTo: entry.what.upTo });
    }
    m.changed.add(id);
  }
  m.touch(id);
}

/** Keeps an entry for offline reading. */
function keep(m: Machine, id: string, entry: Raw): void {
  if (!m.config.keeps) return;
  if (entry.kind === wire.EntryKind.HISTORY_ERASED && !entry.erased) {
    try {
      const { upTo } = decode(wire.HistoryErased, entry.body);
      m.save({ type: 'cleared', conversation: id, upTo });
    } catch {
      // Malformed: it was emitted as something unknown.
    }
  }
  m.save({ type: 'entry', conversation: id, entry: stored(entry) });
}
