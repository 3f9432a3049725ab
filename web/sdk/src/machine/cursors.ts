/**
 * Cursors that move: the user's own, by this device or another one, and those of
 * the others, which committed sends wait for.
 */

import type * as wire from '../gen/wire.ts';
import { uuid } from '../ids.ts';
import type { Receipt } from '../model.ts';
import type { Parts } from './parts.ts';
import type { Pending } from './requests.ts';

export function handleReceipt(p: Parts, given: wire.Receipt): void {
  const { feedPosition, ...cursors } = given;
  const receipt: Receipt = {
    ...cursors,
    conversation: uuid(given.conversation),
    user: uuid(given.user),
  };
  const id = receipt.conversation;
  const it = p.conversations.get(id);
  if (it?.handleReceipt(receipt)) {
    if (receipt.user === p.account.me) {
      it.acknowledged.handleConfirmed(Math.max(receipt.delivered, receipt.read));
      handleOwnRead(p, id, receipt.read);
    }
    p.outputs.emit({ type: 'receipt', receipt });
    p.conversations.markChanged(id);
    p.conversations.touch(id);
    followCursors(p, id);
  }
  // After the resync that a cursor may want: it is asked from before.
  p.feed.advance(feedPosition);
}

function handleOwnRead(p: Parts, id: string, upTo: number): void {
  const it = p.conversations.get(id);
  if (!it) return;
  const stale = upTo > it.read.confirmed && it.count.handleRead(upTo);
  const done = it.read.handleConfirmed(upTo);
  if (stale) p.feed.requestResync();
  for (const call of done) p.calls.reply(call);
}

/** The server moved the user's cursors, by this device's request or another's. */
export function handleMoved(p: Parts, moved: wire.Moved, pending: Pending | undefined): void {
  const id = uuid(moved.conversation);
  const it = p.conversations.get(id);
  if (!it) return;
  if (pending?.type === 'delivered') it.acknowledged.finish(moved.delivered);
  else it.acknowledged.handleConfirmed(moved.delivered);
  if (pending?.type === 'read') it.read.finish();
  handleOwnRead(p, id, moved.read);
  p.conversations.markChanged(id);
  p.conversations.touch(id);
}

/** Tells the sends that the others' cursors have passed. */
export function followCursors(p: Parts, id: string): void {
  const it = p.conversations.get(id);
  const { me } = p.account;
  if (!it || !me) return;
  const { delivered, read } = it.others(me);
  for (const { localId, status } of p.tracking.handleCursors(id, delivered, read)) {
    p.outputs.emit({ type: 'progress', localId, status });
  }
}
