/**
 * How connections begin and end for all parts, and what follows every input.
 */

import { closed, type ErrorInfo } from '../error.ts';
import type { State } from '../types.ts';
import type { Step, Tick } from './connect.ts';
import type { Parts } from './parts.ts';

/** Does what the connection needs next. */
export function applyStep(p: Parts, step: Step, tick: Tick): void {
  if (step === 'nothing') return;
  if (step === 'redial' || step === 'close') endSession(p);
  if (step !== 'dial') p.outputs.push({ type: 'hangup' });
  if (step === 'dial' || step === 'redial') p.outputs.push({ type: 'dial' });
  if (step === 'signIn') p.outputs.push({ type: 'signIn' });
  if (step === 'close') endCalls(p);
  reportState(p, tick);
  finishInput(p, tick);
}

/** A sign-in, a dial, the handshake or the session failed, or the transport ended. */
export function fail(p: Parts, tick: Tick, error: ErrorInfo): void {
  endSession(p);
  applyStep(p, p.connect.handleFailure(tick, error), tick);
}

/** Every part forgets what belonged to one connection. */
export function endSession(p: Parts): void {
  p.connect.endSession();
  p.liveness.endSession();
  p.feed.endSession();
  p.names.endSession();
  p.presence.endSession();
  p.outbox.endSession();
  for (const pending of p.requests.drain()) {
    // What the application waits for is asked again.
    if (pending.type === 'call') p.calls.enqueue(pending.call);
    if (pending.type === 'send') p.outbox.report(pending.localId);
  }
  p.conversations.endSession(p.account.endSession());
}

/** The client is over: everybody who waits is told. */
function endCalls(p: Parts): void {
  const { phase } = p.connect;
  p.calls.drain((phase.type === 'closed' ? phase.error : undefined) ?? closed());
  p.outbox.endDrain();
}

/** Tells the application the state of the connection. */
export function reportState(p: Parts, tick: Tick): void {
  p.outputs.report(stateOf(p, tick));
}

function stateOf(p: Parts, tick: Tick): State {
  const { phase } = p.connect;
  if (phase.type === 'closed') return { type: 'closed', error: phase.error };
  if (p.outbox.isDraining) return { type: 'draining' };
  if (phase.type === 'ready') {
    const { session } = p.account;
    return session ? { type: 'ready', session } : { type: 'handshaking' };
  }
  if (phase.type === 'waiting') {
    const retryAtMs = tick.wallMs + Math.max(0, phase.untilMs - tick.nowMs);
    return { type: 'waiting', retryAtMs, error: phase.error };
  }
  return { type: phase.type };
}

/** At the end of an input: what became possible, and one event a changed line. */
export function finishInput(p: Parts, tick: Tick): void {
  p.conversations.reportChanged(p.account.me);
  p.feed.scheduleResync(tick.nowMs);
  replyLists(p);
  if (!p.outbox.isDraining || p.connect.isClosed) return;
  const isQuiet = () =>
    p.conversations.values().every((it) => !it.acknowledged.isPending && !it.read.isPending);
  if ((p.outbox.size === 0 && isQuiet()) || tick.nowMs >= p.outbox.drainDeadline()) close(p, tick);
}

/** Whether new sends and calls are taken. */
export function isOpen(p: Parts): boolean {
  return !p.connect.isClosed && !p.outbox.isDraining;
}

/** Ends now; with an error when it was not asked for. */
export function close(p: Parts, tick: Tick, error?: ErrorInfo): void {
  applyStep(p, p.connect.close(error), tick);
}

/** Answers those who want the list once it is whole, or can't become so now. */
function replyLists(p: Parts): void {
  const waiting = p.calls.matching((call) => call.type === 'list');
  if (waiting.length === 0) return;
  const { type } = p.connect.phase;
  const isWhole = () =>
    p.feed.isSynced && p.conversations.values().every((it) => it.describing.isDescribed);
  if (type === 'ready' ? !isWhole() : type !== 'waiting' && type !== 'closed') return;
  for (const call of waiting) p.calls.reply(call, p.conversations.list(p.account.me));
}
