/**
 * Dropping what this device copied of the server, when the server's store is
 * another one than the copy was made of: all of it in another life of the store,
 * or one conversation whose log turns out to be another. What the user made and
 * nobody acknowledged stays, but for acts that name messages by their seqs: those
 * may be other messages by now.
 *
 * Loaded before the first connection, beside the rest.
 */

import { fromName } from '../error.ts';
import type * as wire from '../gen/wire.ts';
import { EntryKind } from '../gen/wire.ts';
import { type Raw, rawEntries } from '../history.ts';
import type { Call } from './calls.ts';
import type { Tick } from './connect.ts';
import type { Conversation } from './conversation/conversation.ts';
import { type Parts, synced } from './parts.ts';

/** Kinds of entries that name a message, or a part of the history. */
const ACTS: readonly number[] = [
  EntryKind.EDIT,
  EntryKind.DELETE,
  EntryKind.REACTION,
  EntryKind.PIN,
  EntryKind.HISTORY_ERASED,
];

/** Requests that say something about messages by their seqs. */
const ASKS: readonly unknown[] = ['hide', 'setPreferences', 'report', 'receipts'];

/** Entries of a conversation that are remembered, to be told from others. */
const MARKS = 16;

const elsewhere = () => ({ ...fromName('target_invalid'), text: 'the server was put back' });

/** The store lives another life: what it is asked next is asked as by a new device. */
export function dropCopy(p: Parts, tick: Tick): void {
  const { outbox, outputs, account } = p;
  outputs.save({ type: 'reset' });
  // The other one's conversation may not be there any more, and begins anew.
  for (const { id, peer } of p.conversations.list(account.me)) {
    if (!peer) continue;
    const to = { type: 'user', user: peer.id } as const;
    outbox.merge({ type: 'conversation', conversation: id }, to);
  }
  for (const item of outbox.all()) {
    if (ACTS.includes(item.kind) && !item.error) {
      outbox.handleFailure(tick, item.localId, elsewhere());
    } else outputs.save({ type: 'queued', item });
  }
  const countsOnSeqs = (call: Call) =>
    call.type === 'read' || (call.type === 'ask' && ASKS.includes(call.kind.case));
  for (const call of p.calls.matching(countsOnSeqs)) p.calls.fail(call, elsewhere());
  Object.assign(p, synced(outputs));
  p.feed.resyncNow(tick.nowMs);
  outputs.emit({ type: 'reset' });
}

/** The log of a conversation is another one: the feed tells anew where it stands. */
export function dropConversation(p: Parts, tick: Tick, conversation: string): void {
  const same = (call: Call) => call.type === 'read' && call.conversation === conversation;
  for (const call of p.calls.matching(same)) p.calls.fail(call, elsewhere());
  for (const [localId, { sent }] of p.tracking.sends) {
    if (sent.conversation === conversation) p.tracking.sends.delete(localId);
  }
  p.conversations.delete(conversation);
  p.conversations.ensure(conversation, undefined);
  p.conversations.touch(conversation);
  p.outputs.saveAndEmit({ type: 'reset', conversation });
  p.feed.restart = true;
  p.feed.resyncNow(tick.nowMs);
  p.outputs.save({ type: 'feed', position: 0 });
}

/** Tells an entry from another one at its seq; the body may be taken away. */
function markOf({ ordinal, timeMs, sender, kind }: Raw): string {
  return [timeMs, ordinal, sender, kind].join();
}

/** An entry was taken: remembered is what tells it from others. */
export function note({ log: { marks } }: Conversation, entry: Raw): void {
  if (entry.damaged) return;
  marks.set(entry.seq, markOf(entry));
  if (marks.size > MARKS) marks.delete(Math.min(...marks.keys()));
}

/**
 * Compares entries that come with those that were taken, and drops the conversation
 * where another one was. One that comes as new is in doubt where it is not known
 * which one was.
 */
export function compare(
  p: Parts,
  tick: Tick,
  { id, log }: Conversation,
  entries: readonly Raw[],
  areNew: boolean,
): void {
  let isOther = false;
  for (const entry of entries) {
    const known = log.marks.get(entry.seq);
    if (entry.seq > log.held || entry.damaged) continue;
    if (known) isOther ||= known !== markOf(entry);
    else log.doubted ||= areNew;
  }
  if (isOther) dropConversation(p, tick, id);
}

/**
 * The server tells where the log ends, and when its last entry came. Below what is
 * held, or at another entry, it is asked about: what it tells may be older than what
 * came meanwhile, and the log itself is the proof.
 */
export function doubt({ log }: Conversation, lastSeq: number, lastTimeMs?: number): void {
  const mark = log.marks.get(lastSeq);
  const isOther = lastTimeMs !== undefined && mark && !mark.startsWith(`${lastTimeMs},`);
  if (lastSeq < log.held || (lastSeq === log.held && isOther)) log.doubted = true;
}

/** The answer to whether a log is still the same. */
export function handleChecked(p: Parts, tick: Tick, id: string, page: wire.Fetched): void {
  const it = p.conversations.get(id);
  const held = it?.log.asked;
  if (!held) return;
  it.log.asked = 0;
  it.log.doubted = false;
  if (page.lastSeq < held) dropConversation(p, tick, id);
  else compare(p, tick, it, rawEntries(page.entries), false);
}
