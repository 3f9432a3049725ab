/** What the server sends, and what follows from it. */

import { descriptionOf, profileOf } from '../convert.ts';
import { type ErrorInfo, fromCode, problem } from '../error.ts';
import type * as wire from '../gen/wire.ts';
import { entryBytes, rawEntry } from '../history.ts';
import { Malformed, uuid, uuidBytes } from '../ids.ts';
import { handleChanges, handleHidden } from './changes.ts';
import type { Tick } from './connect.ts';
import { followCursors, handleMoved, handleReceipt } from './cursors.ts';
import {
  advance,
  ensure,
  handleDeliver,
  handleGapPage,
  handleName,
  handlePage,
  handleRefetched,
  offer,
} from './entries.ts';
import { close, fail, finishInput, reportState } from './lifecycle.ts';
import type { Parts } from './parts.ts';
import { handlePresence, handleProfile, handleTyped } from './people.ts';
import { handleRefusal } from './refusals.ts';
import type { Pending, ServerKind } from './requests.ts';
import { learnName, learnPeer, learnPeers, resolve } from './targets.ts';

/** Answers that a request of the application may have. */
const ANSWERS: readonly ServerKind['case'][] = [
  'fetched',
  'described',
  'changed',
  'accountChanged',
  'accountState',
  'profile',
  'subscribed',
  'receiptList',
  'hiddenSeqs',
  'inviteLinks',
  'invitePreview',
  'reported',
];

/** An envelope came. */
export function handleEnvelope(p: Parts, tick: Tick, envelope: wire.ServerEnvelope): void {
  p.liveness.handleHeard(tick.nowMs);
  const pending = envelope.request > 0 ? p.requests.take(envelope.request) : undefined;
  const { kind } = envelope;
  try {
    if (kind) handleKind(p, tick, kind, pending);
    // A kind this build doesn't know is no answer.
    else if (pending) handleRefusal(p, tick, pending, problem('protocol', 'odd answer'));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    fail(p, tick, problem('protocol', 'a malformed envelope'));
  }
  finishInput(p, tick);
}

function handleKind(p: Parts, tick: Tick, kind: ServerKind, pending: Pending | undefined): void {
  if (pending?.type === 'call' && ANSWERS.includes(kind.case)) {
    handleCallAnswer(p, tick, pending.call, kind);
  } else if (!handleNews(p, tick, kind, pending) && pending) handleAnswer(p, tick, kind, pending);
}

/** What counts whether it was asked for or not. False when it is only an answer. */
function handleNews(p: Parts, tick: Tick, kind: ServerKind, pending: Pending | undefined): boolean {
  switch (kind.case) {
    case 'pong':
      p.feed.handlePosition(kind.value.feedPosition, tick.nowMs);
      return true;
    case 'deliver':
      handleDeliver(p, tick, kind.value);
      return true;
    case 'receipt':
      handleReceipt(p, kind.value);
      return true;
    case 'changes':
      handleChanges(p, tick, kind.value, pending !== undefined);
      return true;
    case 'presence':
      handlePresence(p, kind.value);
      return true;
    case 'drain':
      p.connect.handleDrain(tick, kind.value.withinMs);
      return true;
    case 'close':
      fail(p, tick, errorOf(kind.value));
      return true;
    case 'failure':
      if (pending) handleRefusal(p, tick, pending, errorOf(kind.value));
      return true;
    case 'moved':
      handleMoved(p, kind.value, pending);
      return true;
  }
  if (pending) return false;
  if (kind.case === 'typed') handleTyped(p, tick, kind.value);
  if (kind.case === 'signedIn') {
    p.outputs.emit({ ...kind.value, type: 'signedIn', device: uuid(kind.value.device) });
  }
  if (kind.case === 'accountChanged') handleRevision(p, kind.value.revision);
  if (kind.case === 'profile') handleProfile(p, kind.value);
  return true;
}

/** The answer to a request of the machine's own. */
function handleAnswer(p: Parts, tick: Tick, kind: ServerKind, pending: Pending): void {
  const match = (expected: Pending['type']) => pending.type === expected;
  if (pending.type === 'send' && kind.case === 'sent') {
    handleSent(p, tick, pending.localId, kind.value);
  } else if (pending.type === 'lookup' && kind.case === 'found') {
    handleFound(p, pending.name, kind.value);
  } else if (pending.type === 'name' && kind.case === 'profile') {
    const { user } = profileOf(kind.value);
    handleName(p, pending.user, user.id === pending.user ? user : undefined);
  } else if (match('hello') && kind.case === 'welcome') {
    handleWelcome(p, tick, kind.value);
  } else if (match('watch') && kind.case === 'subscribed') {
    for (const one of kind.value.presence) handlePresence(p, one);
  } else if (!('id' in pending)) {
    throw new Malformed(kind.case);
  } else if (match('fetch') && kind.case === 'fetched') {
    handleGapPage(p, tick, pending.id, kind.value);
  } else if (match('check') && kind.case === 'fetched') {
    p.resets.handleChecked(p, tick, pending.id, kind.value);
  } else if (match('refetch') && kind.case === 'fetched') {
    handleRefetched(p, tick, pending.id, kind.value);
  } else if (match('describe') && kind.case === 'described') {
    handleDescribed(p, pending.id, kind.value);
  } else if (match('hidden') && kind.case === 'hiddenSeqs') {
    handleHidden(p, pending.id, kind.value);
  } else {
    throw new Malformed(kind.case);
  }
}

function errorOf({ code, text, retryAfterMs }: wire.Failure | wire.Close): ErrorInfo {
  return fromCode(code, text, retryAfterMs);
}

/** The answer to a request of the application. */
function handleCallAnswer(p: Parts, tick: Tick, call: number, kind: ServerKind): void {
  switch (kind.case) {
    case 'fetched':
      handlePage(p, tick, call, kind.value);
      return;
    case 'described':
      // Who asks for it as it comes wants what a description leaves out.
      if (p.calls.get(call)?.type === 'ask') break;
      p.calls.reply(call, descriptionOf(kind.value));
      return;
    case 'changed':
      p.feed.resyncNow(tick.nowMs);
      break;
    case 'accountChanged':
    case 'accountState':
      p.account.setRevision(kind.value.revision);
      break;
    case 'profile':
      if (!kind.value.deleted) p.names.learn(profileOf(kind.value).user);
      break;
  }
  p.calls.reply(call, kind);
}

/** Somebody else changed the account's own data. */
function handleRevision(p: Parts, revision: number): void {
  if (p.account.setRevision(revision)) p.outputs.emit({ type: 'account', revision });
}

function handleWelcome(p: Parts, tick: Tick, welcome: wire.Welcome): void {
  const { transport } = p.connect;
  if (!p.connect.isHandshaking || !transport || welcome.version !== 1)
    throw new Malformed('welcome');
  let dropped = false;
  const isNew = p.account.beginSession(welcome, transport, () => {
    dropped = true;
    p.resets.dropCopy(p, tick);
  });
  if (isNew === undefined) {
    close(p, tick, problem('store', 'a store of another user'));
    return;
  }
  if (welcome.serverTimeMs > 0) {
    p.aheadMs = welcome.serverTimeMs - tick.nowMs;
    p.skewMs = welcome.serverTimeMs - tick.wallMs;
  }
  if (isNew) learnPeers(p);
  p.requests.setLimit(welcome.limits?.requestsInFlight ?? 0);
  p.liveness.handleWelcome(tick.nowMs, welcome.heartbeatMs, welcome.backgroundHeartbeatMs);
  p.presence.beginSession(tick.nowMs);
  p.connect.handleWelcome(tick.nowMs);
  reportState(p, tick);
  if (dropped) {
    // What changed since a position of the other life says nothing.
    p.outputs.emit({ type: 'account', revision: welcome.accountRevision });
  } else {
    handleRevision(p, welcome.accountRevision);
    const none = { entries: [], feedPosition: 0, more: false };
    handleChanges(p, tick, welcome.changes ?? none, true);
  }
  resume(p);
}

/** Looks at everything that an earlier session left open. */
function resume(p: Parts): void {
  const { schedule } = p.conversations;
  for (const it of p.conversations.values()) if (it.isUnfinished) schedule.wake(it.id);
  // Receipts of the time in between are not repeated.
  for (const id of p.tracking.conversations()) {
    const it = p.conversations.get(id);
    if (!it) continue;
    it.describing.again();
    schedule.wake(id);
  }
  for (const name of [...p.outbox.unresolved(), ...p.calls.lookups()]) p.names.wantLookup(name);
}

function handleSent(p: Parts, tick: Tick, localId: number, answer: wire.Sent): void {
  const conversation = uuid(answer.conversation);
  const { seq, timeMs, duplicate, ordinal } = answer;
  const sent = { conversation, seq, timeMs, duplicate };
  // The end of the send comes before its entry, which is then known to be the same.
  const item = p.outbox.handleSent(localId, sent);
  if (!item) return;
  if (item.to.type === 'user') {
    p.conversations.setDirect(item.to.user, conversation);
    p.outbox.merge(item.to, { type: 'conversation', conversation });
  }
  const sender = p.account.me ? uuidBytes(p.account.me) : new Uint8Array(0);
  const { kind, body } = item;
  // A store keeps it in the same form as what the server pushes.
  const raw = rawEntry(
    entryBytes({
      seq,
      ordinal,
      timeMs,
      epoch: 0,
      sender,
      kind,
      body,
      erased: false,
      damaged: false,
    }),
  );
  const it = ensure(p, conversation);
  it.log.noteLast(seq, tick.nowMs, true);
  // What an earlier try brought may have been deleted since: that is fetched.
  if (raw && !duplicate) offer(p, tick, it, [raw], true);
  p.conversations.touch(conversation);
  p.tracking.add(localId, sent);
  advance(p, conversation);
  followCursors(p, conversation);
  p.feed.advance(answer.feedPosition);
}

function handleFound(p: Parts, asked: string, found: wire.Found): void {
  p.names.finishLookup(asked);
  if (!found.user) throw new Malformed('found');
  const user = { id: uuid(found.user.id), name: found.user.name };
  for (const call of p.calls.lookingUp(asked)) p.calls.reply(call, user);
  // The server may spell it differently; what was asked resolves all the same.
  p.outbox.merge({ type: 'name', name: asked }, resolve(p, { type: 'user', user: user.id }));
  p.names.learn(user);
  learnName(p, user);
}

function handleDescribed(p: Parts, id: string, described: wire.Described): void {
  p.conversations.schedule.finish('describe');
  const description = descriptionOf(described);
  const it = p.conversations.get(id);
  if (!it) return;
  p.resets.doubt(it, description.lastSeq);
  const isCurrent = it.handleDescribed(description, p.account.me, p.account.sessionNumber);
  const peer = it.peer(p.account.me);
  if (peer) learnPeer(p, id, peer);
  if (isCurrent) {
    const current = it.description();
    for (const call of p.calls.describing(id)) p.calls.reply(call, current);
  }
  p.conversations.markChanged(id);
  advance(p, id);
  followCursors(p, id);
}
