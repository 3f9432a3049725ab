/** Requests the server refused, each with its own consequence. */

import { type ErrorInfo, isRetryable } from '../error.ts';
import type { Tick } from './connect.ts';
import { isCursorAhead } from './conversation/read.ts';
import { advance, handleName } from './entries.ts';
import { fail } from './lifecycle.ts';
import type { Parts } from './parts.ts';
import type { ConversationPending, Pending } from './requests.ts';

/** How long the machine waits after a failure the server may get over. */
const AGAIN_MS = 1_000;

export function handleRefusal(p: Parts, tick: Tick, pending: Pending, error: ErrorInfo): void {
  const againMs = tick.nowMs + AGAIN_MS;
  switch (pending.type) {
    case 'hello':
      fail(p, tick, error);
      break;
    case 'sync':
      p.feed.handleRefused(againMs);
      break;
    case 'send':
      p.outbox.handleFailure(tick, pending.localId, error);
      break;
    case 'call':
      p.calls.fail(pending.call, error);
      break;
    // A user who can't be asked about now is called by the id.
    case 'name':
      handleName(p, pending.user, undefined);
      break;
    case 'watch':
      if (isRetryable(error)) p.presence.retryWatch(againMs);
      break;
    case 'lookup':
      handleLookupRefused(p, againMs, pending.name, error);
      break;
    case 'ping':
      break;
    default:
      handleConversationRefused(p, tick, pending, error);
  }
}

function handleConversationRefused(
  p: Parts,
  tick: Tick,
  { type, id }: ConversationPending,
  error: ErrorInfo,
): void {
  const { schedule } = p.conversations;
  if (type === 'fetch' || type === 'refetch') schedule.finish('fetch');
  if (type === 'describe') schedule.finish('describe');
  schedule.wake(id);
  const it = p.conversations.get(id);
  if (!it) return;
  switch (type) {
    case 'fetch':
      it.log.finishFetch(undefined, false, tick.nowMs);
      break;
    case 'refetch':
      it.acknowledged.finishRecovery(false);
      break;
    case 'delivered':
      if (isCursorAhead(error) || !isRetryable(error)) it.acknowledged.finish(undefined);
      else it.acknowledged.postpone(tick.nowMs + AGAIN_MS);
      break;
    case 'read': {
      const ahead = isCursorAhead(error);
      if (ahead) it.acknowledged.finish(undefined);
      for (const call of it.read.handleFailure(tick.nowMs, ahead || isRetryable(error))) {
        p.calls.fail(call, error);
      }
      p.conversations.touch(id);
      break;
    }
    case 'hidden':
      it.hidden.giveUp();
      break;
    case 'describe':
      if (isRetryable(error)) {
        it.describing.retry(tick.nowMs + AGAIN_MS);
        break;
      }
      it.handleUndescribable(p.account.sessionNumber);
      for (const call of p.calls.describing(id)) p.calls.fail(call, error);
      p.conversations.markChanged(id);
      advance(p, id);
  }
}

function handleLookupRefused(p: Parts, againMs: number, name: string, error: ErrorInfo): void {
  if (isRetryable(error)) {
    p.names.retryLookup(name, againMs);
    return;
  }
  p.names.finishLookup(name);
  for (const call of p.calls.lookingUp(name)) p.calls.fail(call, error);
  p.outbox.failLane({ type: 'name', name }, error);
}
