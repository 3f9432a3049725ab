/** What the passing of time does, and when the machine has to be told of it. */

import { problem } from '../error.ts';
import type { Tick } from './connect.ts';
import { applyStep, endSession, fail, finishInput } from './lifecycle.ts';
import type { Parts } from './parts.ts';
import { reportTyping } from './people.ts';

/** When {@link handleTimeout} has something to do. */
export function deadline(p: Parts, nowMs: number): number {
  const always = [
    p.connect.deadline(),
    p.outbox.drainDeadline(),
    p.presence.typingDeadline(),
    p.calls.deadline(),
    p.conversations.expiryMs() - p.aheadMs,
  ];
  if (!p.connect.isReady) return Math.min(...always);
  // What is due already is made as soon as there is room for it.
  const later = [p.feed.deadline(), p.names.lookupDeadline(), p.presence.watchDeadline()];
  return Math.min(
    ...always,
    ...later.filter((atMs) => atMs > nowMs),
    p.liveness.deadline(),
    deadAtMs(p),
    p.outbox.deadline(nowMs),
    p.conversations.schedule.deadline(),
  );
}

function deadAtMs(p: Parts): number {
  return p.liveness.deadAtMs(p.requests.oldestMs, p.config.requestTimeoutMs);
}

/** Time passed. */
export function handleTimeout(p: Parts, tick: Tick): void {
  p.conversations.schedule.handleTimeout(tick.nowMs);
  for (const { id, call } of p.calls.expire(tick.nowMs)) {
    if (call.type === 'read') p.conversations.get(call.conversation)?.read.forget(id);
  }
  for (const { conversation, user } of p.presence.expireTyping(tick.nowMs)) {
    reportTyping(p, conversation, user, false);
  }
  if (p.conversations.handleTime(tick.nowMs + p.aheadMs, p.account.me)) {
    p.feed.requestResync();
  }
  if (p.connect.isReady && deadAtMs(p) <= tick.nowMs) {
    fail(p, tick, problem('timeout', 'silence'));
  }
  const step = p.connect.handleTimeout(tick);
  if (step === 'wait') endSession(p);
  applyStep(p, step, tick);
  finishInput(p, tick);
}
