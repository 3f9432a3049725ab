/**
 * Entries that come, pushed or fetched: offered to their log, taken in order,
 * emitted with names.
 */

import type * as wire from '../gen/wire.ts';
import { type Raw, rawEntries, readEntry, stored } from '../history.ts';
import { uuid } from '../ids.ts';
import type { Change, User } from '../model.ts';
import type { Tick } from './connect.ts';
import type { Conversation } from './conversation/conversation.ts';
import type { Parts } from './parts.ts';
import { canName, stopTyping } from './people.ts';

export function handleDeliver(p: Parts, tick: Tick, deliver: wire.Deliver): void {
  const id = uuid(deliver.conversation);
  // Whether it is a stranger's request is told by the feed alone. Asked before
  // the description, without which nothing is emitted.
  if (!p.feed.isFresh && !p.conversations.get(id)) p.feed.resyncNow(tick.nowMs);
  offer(p, tick, ensure(p, id), rawEntries(deliver.entries), true);
  advance(p, id);
  p.feed.advance(deliver.feedPosition);
}

/** The conversation, known from now on. */
export function ensure(p: Parts, id: string): Conversation {
  return p.conversations.ensure(id, p.feed.isFresh ? undefined : 0);
}

/**
 * Offers entries to the log. Returns the lowest seq. Where one shows that the log
 * is another one, what is held of it is dropped.
 */
export function offer(
  p: Parts,
  tick: Tick,
  it: Conversation,
  entries: readonly Raw[],
  areNew = false,
): number | undefined {
  if (entries.length === 0) return undefined;
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
  p.resets.compare(p, tick, it, entries, areNew);
  return Math.min(...entries.map((entry) => entry.seq));
}

/**
 * A page may say where the conversation begins for this user by now: what is
 * older went, and goes from the device too. Returns the first seq that is there.
 */
function noteStart(
  p: Parts,
  it: Conversation,
  { atStart, atEnd, lastSeq }: wire.Fetched,
  first: number | undefined,
): number | undefined {
  // Where nothing at all is left, it begins with what is to come.
  const from = first ?? (atEnd ? lastSeq + 1 : 0);
  if (!atStart || from === 0) return first;
  it.acknowledged.handleFloor(from - 1);
  if (it.handleGone(from - 1)) {
    p.outputs.saveAndEmit({ type: 'cleared', conversation: it.id, upTo: from - 1 });
  }
  return from;
}

/** The answer to the fetch of a gap. */
export function handleGapPage(p: Parts, tick: Tick, id: string, page: wire.Fetched): void {
  p.conversations.schedule.finish('fetch');
  const it = p.conversations.get(id);
  if (!it) return;
  const first = offer(p, tick, it, rawEntries(page.entries));
  it.log.noteLast(page.lastSeq, tick.nowMs, false);
  advance(p, id);
  it.log.finishFetch(noteStart(p, it, page, first), page.atStart, tick.nowMs);
  advance(p, id);
}

/** The answer to the fetch of what this session must have been given. */
export function handleRefetched(p: Parts, tick: Tick, id: string, page: wire.Fetched): void {
  p.conversations.schedule.finish('fetch');
  const it = p.conversations.get(id);
  if (!it) return;
  const before = it.acknowledged.covered;
  noteStart(p, it, page, offer(p, tick, it, rawEntries(page.entries)));
  it.acknowledged.finishRecovery(it.acknowledged.covered > before);
  advance(p, id);
}

/** The answer to a question of the application. */
export function handlePage(p: Parts, tick: Tick, call: number, fetched: wire.Fetched): void {
  const id = uuid(fetched.conversation);
  const entries = rawEntries(fetched.entries);
  const related = rawEntries(fetched.related);
  const asked = p.calls.get(call);
  const dense = asked?.type === 'fetch' && asked.dense;
  const it = p.conversations.get(id);
  if (it) {
    const [first, last] = [entries[0], entries.at(-1)];
    if (dense && first && last) it.acknowledged.handleGiven(first.seq, last.seq);
    it.log.noteLast(fetched.lastSeq, tick.nowMs, true);
    if (dense) noteStart(p, it, fetched, first?.seq);
    p.conversations.touch(id);
  }
  for (const entry of related) save(p, 'related', id, entry);
  // Of what lies apart, only what is done to others has a place in the cache.
  for (const entry of entries) save(p, dense ? 'entry' : 'related', id, entry);
  p.calls.reply(call, fetched);
}

/** Takes and emits what is next in order, as far as names are known. */
export function advance(p: Parts, id: string): void {
  const it = p.conversations.get(id);
  if (!it) return;
  const reader = {
    conversation: id,
    me: p.account.me,
    name: (user: string) => p.nameIn(id, user),
    expiresMs: (entry: Raw) => it.expiry.expiresMs(entry, p.skewMs),
  };
  for (let next = it.peek(); next && canName(p, it, next); next = it.peek()) {
    it.log.take();
    p.resets.note(it, next);
    const entry = readEntry(reader, next);
    const stale = it.handleTaken(next, entry, p.account.me);
    stopTyping(p, id, next.sender);
    if (stale) p.feed.requestResync();
    const { what } = entry as Partial<Change>;
    const cleared =
      what?.type === 'erased' && ({ type: 'cleared', conversation: id, upTo: what.upTo } as const);
    if (cleared) p.outputs.save(cleared);
    save(p, 'entry', id, next);
    p.outputs.emit({ type: 'entry', entry });
    if (cleared) p.outputs.emit(cleared);
    p.conversations.markChanged(id);
  }
  p.conversations.touch(id);
}

/** Keeps an entry for offline reading. */
function save(p: Parts, type: 'entry' | 'related', id: string, entry: Raw): void {
  if (!p.outputs.keeps) return;
  p.outputs.save({ type, conversation: id, entry: stored(entry) });
}

/** A name came, or can't be had: what waits for it goes on. */
export function handleName(p: Parts, id: string, user: User | undefined): void {
  for (const conversation of p.names.handleName(id, user)) {
    advance(p, conversation);
    if (p.conversations.get(conversation)?.peek()) p.names.wait(conversation);
  }
}
