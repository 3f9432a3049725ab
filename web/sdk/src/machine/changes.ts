/** Changes of conversations that the feed tells, and what the user hid. */

import type * as wire from '../gen/wire.ts';
import { uuid } from '../ids.ts';
import type { Tick } from './connect.ts';
import { advance, ensure } from './entries.ts';
import type { Parts } from './parts.ts';

/** A page of the feed came, as an answer or by itself. */
export function handleChanges(
  p: Parts,
  tick: Tick,
  changes: Pick<wire.Changes, 'entries' | 'feedPosition' | 'more'>,
  asked: boolean,
): void {
  for (const entry of changes.entries) handleFeedEntry(p, tick, entry);
  if (!asked) {
    p.feed.advance(changes.feedPosition);
    return;
  }
  if (!p.feed.handleAnswer(changes.feedPosition, changes.more, tick.nowMs)) return;
  const conversations = p.conversations.values();
  if (p.feed.takeFresh()) {
    // What the whole list did not name is newer than it: it begins at its beginning.
    for (const it of conversations) {
      if (it.hasBegun) continue;
      it.begin(0);
      advance(p, it.id);
    }
  }
  const stale = conversations.flatMap(({ count: { value } }) =>
    value.doubtful ? [value.version] : [],
  );
  p.feed.handleStale(stale.length > 0 ? Math.min(...stale) : undefined, tick.nowMs);
}

function handleFeedEntry(p: Parts, tick: Tick, entry: wire.FeedEntry): void {
  const id = uuid(entry.conversation);
  const it = ensure(p, id);
  if (!it.hasBegun) {
    const from = { undelivered: entry.delivered, unread: entry.read, everything: 0 };
    // Whatever is read from now on comes without what is hidden.
    it.begin(Math.min(from[p.config.catchUp], entry.lastSeq));
    it.hidden.begin(entry.hidden);
  }
  p.resets.doubt(it, entry.lastSeq, entry.lastTimeMs);
  const upTo = it.handleFeed(entry, tick.nowMs);
  const done = it.read.handleConfirmed(Math.min(entry.read, entry.lastSeq));
  if (upTo !== undefined) {
    p.outputs.saveAndEmit({ type: 'cleared', conversation: id, upTo });
  }
  p.conversations.markChanged(id);
  p.conversations.touch(id);
  for (const call of done) p.calls.reply(call);
  advance(p, id);
}

/** The seqs of messages that the user hid. */
export function handleHidden(p: Parts, id: string, answer: wire.HiddenSeqs): void {
  const { seqs } = answer;
  const it = p.conversations.get(id);
  if (!it) return;
  it.hidden.finish(seqs.length);
  if (seqs.length > 0) {
    p.outputs.saveAndEmit({ type: 'hidden', conversation: id, seqs });
  }
  p.conversations.touch(id);
}
