/** Requests the server refused, each with its own consequence. */

import { type ErrorInfo, isRetryable } from '../error.ts';
import type { StoredItem } from '../store.ts';
import { refuse, waiting } from './calls.ts';
import type { Tick } from './connect.ts';
import { isCursorAhead } from './cursors.ts';
import { advance } from './entries.ts';
import { feedUnanswered } from './feed.ts';
import type { Machine } from './machine.ts';
import { callNextInLine } from './outbound.ts';
import { handleName } from './people.ts';
import type { Pending } from './requests.ts';

/** How long the machine waits after a failure the server may get over. */
export const AGAIN_MS = 1_000;

export function handleRefusal(m: Machine, tick: Tick, pending: Pending, error: ErrorInfo): void {
  const againMs = tick.nowMs + AGAIN_MS;
  switch (pending.type) {
    case 'hello':
      m.handleFailure(tick, error);
      break;
    case 'sync':
      feedUnanswered(m);
      m.syncAtMs = againMs;
      break;
    case 'send':
      sendRefused(m, tick, pending.localId, error);
      break;
    case 'call':
      refuse(m, pending.call, error);
      break;
    // Whoever can't be asked about now is called by the id.
    case 'name':
      handleName(m, pending.user, undefined);
      break;
    case 'watch':
      if (isRetryable(error)) m.watchAtMs = againMs;
      break;
    case 'lookup':
      lookupRefused(m, tick, pending.name, error);
      break;
    case 'ping':
      break;
    default:
      conversationRefused(m, tick, pending, error);
  }
}

function conversationRefused(
  m: Machine,
  tick: Tick,
  { type, id }: Extract<Pending, { id: string }>,
  error: ErrorInfo,
): void {
  const it = m.conversations.get(id);
  if (type === 'fetch' || type === 'cover') {
    m.fetching = Math.max(0, m.fetching - 1);
    callNextInLine(m);
  }
  if (type === 'describe') {
    m.describing = Math.max(0, m.describing - 1);
    callNextInLine(m);
  }
  m.work.add(id);
  if (!it) return;
  switch (type) {
    case 'fetch':
      it.log.finishFetch(undefined, false, tick.nowMs);
      break;
    case 'cover':
      it.acknowledged.finishRecovery(false);
      break;
    case 'delivered':
      if (isCursorAhead(error) || !isRetryable(error)) it.acknowledged.finish(undefined);
      else it.acknowledged.postpone(tick.nowMs + AGAIN_MS);
      break;
    case 'read': {
      const ahead = isCursorAhead(error);
      if (ahead) it.acknowledged.finish(undefined);
      const calls = it.read.handleFailure(tick.nowMs, ahead || isRetryable(error));
      for (const call of calls) refuse(m, call, error);
      m.touch(id);
      break;
    }
    case 'hidden':
      // With the next change, or in the next session.
      it.askingHidden = false;
      it.hidden = it.hiddenKnown;
      break;
    case 'describe':
      it.describing = false;
      if (isRetryable(error)) {
        it.describeAtMs = tick.nowMs + AGAIN_MS;
        break;
      }
      it.handleUndescribable(m.sessionNumber);
      for (const call of waiting(
        m,
        (call) => call.type === 'describe' && call.conversation === id,
      )) {
        refuse(m, call, error);
      }
      m.changed.add(id);
      advance(m, id);
  }
}

function sendRefused(m: Machine, tick: Tick, localId: number, error: ErrorInfo): void {
  const item = m.outbox.handleFailure(tick, localId, error, m.config.backoff);
  if (item) failItem(m, item, error);
  else m.sayItem(localId);
}

/** It waits for the user from now on. */
function failItem(m: Machine, item: StoredItem, error: ErrorInfo): void {
  const failed = { ...item, error };
  m.failed.set(item.localId, failed);
  m.save({ type: 'queued', item: failed });
  m.sayItem(item.localId);
  m.effect({ type: 'undone', localId: item.localId, error });
}

function lookupRefused(m: Machine, tick: Tick, name: string, error: ErrorInfo): void {
  m.lookingUp.delete(name);
  if (isRetryable(error)) {
    m.lookupAtMs = tick.nowMs + AGAIN_MS;
    m.wantedNames.add(name);
    return;
  }
  for (const call of waiting(m, (it) => it.type === 'lookup' && it.name === name)) {
    refuse(m, call, error);
  }
  for (const item of m.outbox.failLane({ type: 'name', name })) failItem(m, item, error);
}
