/**
 * The feed: which conversations changed, and where its position stands.
 *
 * The position is what this device has taken whole. A doubt about a count asks
 * once more from where the position was before; should that not bring the
 * conversation, from the version of what is known of it.
 */

import type * as wire from '../gen/wire.ts';
import { uuid } from '../ids.ts';
import { doneReading } from './calls.ts';
import type { Tick } from './connect.ts';
import { advance } from './entries.ts';
import type { Machine } from './machine.ts';

/** How long a doubt waits for what follows it. */
const DOUBT_MS = 200;

/** Syncs in a row that leave a doubt, after which it stays until the next change. */
const DOUBTS = 4;

/** A page of the feed came, as an answer or by itself. */
export function handleChanges(
  m: Machine,
  tick: Tick,
  changes: Pick<wire.Changes, 'entries' | 'feedPosition' | 'more'>,
  asked: boolean,
): void {
  for (const entry of changes.entries) handleFeedEntry(m, tick, entry);
  if (!asked) {
    moveFeed(m, changes.feedPosition);
    return;
  }
  m.feedAsked = undefined;
  m.feedPosition = Math.max(m.feedPosition, changes.feedPosition);
  if (changes.more) {
    // The position may be further already, by what was pushed meanwhile.
    m.feedDoubt = changes.feedPosition;
    m.syncAtMs = tick.nowMs;
    return;
  }
  m.synced = true;
  if (m.fresh) {
    m.fresh = false;
    // What the first list did not name is newer than it: it begins at its beginning.
    for (const it of m.conversations.values()) {
      if (it.begun) continue;
      it.begun = true;
      advance(m, it.id);
    }
  }
  saveFeed(m);
  settleDoubts(m, tick);
}

function handleFeedEntry(m: Machine, tick: Tick, entry: wire.FeedEntry): void {
  const id = uuid(entry.conversation);
  const it = m.conversation(id);
  if (m.fresh && !it.begun) {
    const from = { undelivered: entry.delivered, unread: entry.read, everything: 0 };
    it.begin(Math.min(from[m.config.catchUp], entry.lastSeq));
    // Whatever is read from now on comes without what is hidden.
    it.hiddenKnown = entry.hidden;
  }
  const cleared = it.handleFeed(entry, tick.nowMs);
  const done = it.read.handleConfirmed(Math.min(entry.read, entry.lastSeq));
  if (cleared !== undefined) {
    m.save({ type: 'cleared', conversation: id, upTo: cleared });
    m.emit({ type: 'cleared', conversation: id, upTo: cleared });
  }
  m.changed.add(id);
  m.touch(id);
  doneReading(m, done);
  advance(m, id);
}

/**
 * A push or an answer moved the feed. While pages of it are missing, only they
 * move it, or what they hold would be skipped.
 */
export function moveFeed(m: Machine, position: number): void {
  if (!m.synced || position <= m.feedPosition) return;
  m.feedPosition = position;
  saveFeed(m);
}

function saveFeed(m: Machine): void {
  m.save({ type: 'feed', position: askedFrom(m) });
}

/** From where the feed has to be asked, were it asked now. */
function askedFrom(m: Machine): number {
  return Math.min(m.feedPosition, m.feedDoubt ?? m.feedPosition, m.feedAsked ?? m.feedPosition);
}

/** As {@link askedFrom}, for a question that is made. */
export function askFeedFrom(m: Machine): number {
  const from = askedFrom(m);
  m.feedDoubt = undefined;
  m.feedAsked = from;
  return from;
}

/** A question about the feed was refused, or its answer is lost. */
export function feedUnanswered(m: Machine): void {
  if (m.feedAsked === undefined) return;
  m.feedDoubt = askedFrom(m);
  m.feedAsked = undefined;
}

/** A count may be wrong: the feed is asked again from here. */
export function doubt(m: Machine): void {
  m.feedDoubt = askedFrom(m);
  m.doubted = true;
}

/** The feed knows something by now that it doesn't tell this session by itself. */
export function askFeedNow(m: Machine, tick: Tick): void {
  m.feedDoubt = askedFrom(m);
  m.syncAtMs = tick.nowMs;
}

/** What was doubted in this input is asked a little later, with what follows it. */
export function scheduleDoubts(m: Machine, nowMs: number): void {
  if (!m.doubted) return;
  m.doubted = false;
  m.doubts = 0;
  if (m.syncAtMs === Number.POSITIVE_INFINITY) m.syncAtMs = nowMs + DOUBT_MS;
}

/** The feed spoke; what it did not settle is asked from further back. */
function settleDoubts(m: Machine, tick: Tick): void {
  const doubtful = [...m.conversations.values()].filter((it) => it.count.doubtful);
  if (doubtful.length === 0) {
    m.doubts = 0;
    return;
  }
  if (m.doubts >= DOUBTS) return;
  m.doubts++;
  // The entry itself again: its version is above the one asked from.
  const version = Math.min(...doubtful.map((it) => it.count.version));
  m.feedDoubt = Math.min(askedFrom(m), Math.max(0, version - 1));
  if (m.syncAtMs === Number.POSITIVE_INFINITY) m.syncAtMs = tick.nowMs + DOUBT_MS;
}

/** The answer to what the user hid here. */
export function handleHidden(m: Machine, id: string, { seqs }: wire.HiddenSeqs): void {
  const it = m.conversations.get(id);
  if (!it) return;
  it.askingHidden = false;
  it.hiddenKnown += seqs.length;
  // Nothing more is given: asking on would be for ever.
  if (seqs.length === 0) it.hiddenKnown = it.hidden;
  else {
    m.save({ type: 'hidden', conversation: id, seqs });
    m.emit({ type: 'hidden', conversation: id, seqs });
  }
  m.touch(id);
}
