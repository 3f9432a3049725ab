/** What the server says, and what follows from it. */

import { descriptionOf, profileOf } from '../convert.ts';
import { type ErrorInfo, fromCode, problem } from '../error.ts';
import type * as wire from '../gen/wire.ts';
import { entryBytes, rawEntry } from '../history.ts';
import { Malformed, uuid, uuidBytes } from '../ids.ts';
import type { Receipt } from '../model.ts';
import type { StoredAccount } from '../store.ts';
import { doneReading, reply, waiting } from './calls.ts';
import type { Tick } from './connect.ts';
import { advance, handleCover, handleDeliver, handleGapPage, handlePage } from './entries.ts';
import { askFeedNow, doubt, handleChanges, handleHidden, moveFeed } from './feed.ts';
import type { Machine, ServerKind } from './machine.ts';
import { callNextInLine } from './outbound.ts';
import { handleName, handlePresence, handleProfile, handleTyped, know } from './people.ts';
import { handleRefusal } from './refusals.ts';
import type { Pending } from './requests.ts';
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
export function handleEnvelope(m: Machine, tick: Tick, envelope: wire.ServerEnvelope): void {
  m.handleHeard(tick);
  const pending = envelope.request > 0 ? m.requests.take(envelope.request) : undefined;
  const { kind } = envelope;
  try {
    if (kind) handleKind(m, tick, kind, pending);
    // A kind this build doesn't know is no answer.
    else if (pending) handleRefusal(m, tick, pending, problem('protocol', 'an unknown answer'));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    m.handleFailure(tick, problem('protocol', 'the server sent a malformed envelope'));
  }
  m.settle(tick);
}

function handleKind(m: Machine, tick: Tick, kind: ServerKind, pending: Pending | undefined): void {
  if (pending?.type === 'call' && ANSWERS.includes(kind.case)) answer(m, tick, pending.call, kind);
  else if (!handleNews(m, tick, kind, pending) && pending) handleAnswer(m, tick, kind, pending);
}

/** What is true whoever asked for it. False when it is only an answer. */
function handleNews(
  m: Machine,
  tick: Tick,
  kind: ServerKind,
  pending: Pending | undefined,
): boolean {
  switch (kind.case) {
    case 'pong':
      if (kind.value.feedPosition > m.feedPosition) m.syncAtMs = Math.min(m.syncAtMs, tick.nowMs);
      return true;
    case 'deliver':
      handleDeliver(m, tick, kind.value);
      return true;
    case 'receipt':
      handleReceipt(m, kind.value);
      return true;
    case 'changes':
      handleChanges(m, tick, kind.value, pending !== undefined);
      return true;
    case 'presence':
      handlePresence(m, kind.value);
      return true;
    case 'drain':
      m.connect.handleDrain(tick, kind.value.withinMs);
      return true;
    case 'close':
      m.handleFailure(tick, errorOf(kind.value));
      return true;
    case 'failure':
      if (pending) handleRefusal(m, tick, pending, errorOf(kind.value));
      return true;
    case 'moved':
      handleMoved(m, kind.value, pending);
      return true;
  }
  if (pending) return false;
  if (kind.case === 'typed') handleTyped(m, tick, kind.value);
  if (kind.case === 'accountChanged') handleRevision(m, kind.value.revision);
  if (kind.case === 'profile') handleProfile(m, kind.value);
  return true;
}

/** The answer to a request of the machine's own. */
function handleAnswer(m: Machine, tick: Tick, kind: ServerKind, pending: Pending): void {
  const match = (expected: Pending['type']) => pending.type === expected;
  if (pending.type === 'send' && kind.case === 'sent') {
    handleSent(m, tick, pending.localId, kind.value);
  } else if (pending.type === 'lookup' && kind.case === 'found') {
    handleFound(m, pending.name, kind.value);
  } else if (pending.type === 'name' && kind.case === 'profile') {
    const { user } = profileOf(kind.value);
    handleName(m, pending.user, user.id === pending.user ? user : undefined);
  } else if (match('hello') && kind.case === 'welcome') {
    handleWelcome(m, tick, kind.value);
  } else if (match('watch') && kind.case === 'subscribed') {
    for (const one of kind.value.presence) handlePresence(m, one);
  } else if (!('id' in pending)) {
    throw new Malformed(kind.case);
  } else if (match('fetch') && kind.case === 'fetched') {
    handleGapPage(m, tick, pending.id, kind.value);
  } else if (match('cover') && kind.case === 'fetched') {
    handleCover(m, pending.id, kind.value);
  } else if (match('describe') && kind.case === 'described') {
    handleDescribed(m, pending.id, kind.value);
  } else if (match('hidden') && kind.case === 'hiddenSeqs') {
    handleHidden(m, pending.id, kind.value);
  } else {
    throw new Malformed(kind.case);
  }
}

function errorOf({ code, text, retryAfterMs }: wire.Failure | wire.Close): ErrorInfo {
  return fromCode(code, text, retryAfterMs);
}

/** The answer to a request of the application. */
function answer(m: Machine, tick: Tick, call: number, kind: ServerKind): void {
  switch (kind.case) {
    case 'fetched':
      handlePage(m, tick, call, kind.value);
      return;
    case 'described':
      reply(m, call, descriptionOf(kind.value));
      return;
    case 'changed':
      askFeedNow(m, tick);
      break;
    case 'accountChanged':
    case 'accountState':
      noteRevision(m, kind.value.revision);
      break;
    case 'profile':
      if (!kind.value.deleted) know(m, profileOf(kind.value).user);
      break;
  }
  reply(m, call, kind);
}

/** The account's own data stand at this revision. Gives whether that is news. */
function noteRevision(m: Machine, revision: number): boolean {
  if (!m.account || revision <= m.account.revision) return false;
  m.account = { ...m.account, revision };
  m.save({ type: 'account', account: m.account });
  return true;
}

/** As {@link noteRevision}, when somebody else changed them. */
function handleRevision(m: Machine, revision: number): void {
  if (noteRevision(m, revision)) m.emit({ type: 'account', revision });
}

function handleWelcome(m: Machine, tick: Tick, welcome: wire.Welcome): void {
  if (!m.connect.isHandshaking || !m.transport || welcome.version !== 1) {
    throw new Malformed('welcome');
  }
  const user = { id: uuid(welcome.user), name: welcome.userName };
  const device = uuid(welcome.device);
  const id = uuid(welcome.session);
  if (m.account && m.account.user.id !== user.id) {
    m.close(tick, problem('store', 'the store belongs to another user'));
    return;
  }
  // A device that knew nothing yet has nothing to catch up with.
  const revision = m.account?.revision ?? welcome.accountRevision;
  const account: StoredAccount = { user, device, revision };
  if (m.account?.device !== device || m.account.user.name !== user.name) {
    m.account = account;
    m.save({ type: 'account', account });
    learnPeers(m);
  }
  m.requests.setLimit(welcome.limits?.requestsInFlight ?? 0);
  const front = heartbeatMs(welcome.heartbeatMs);
  m.heartbeatsMs = [front, heartbeatMs(welcome.backgroundHeartbeatMs || welcome.heartbeatMs)];
  m.pingAtMs = tick.nowMs + m.heartbeatMs;
  if (m.watched.size > 0) m.watchAtMs = tick.nowMs;
  m.sessionNumber++;
  m.session = {
    id,
    user,
    device,
    transport: m.transport,
    textChars: welcome.limits?.textChars ?? 0,
    groupMembers: welcome.limits?.groupMembers ?? 0,
    serverTimeMs: welcome.serverTimeMs,
  };
  m.connect.handleWelcome(tick.nowMs);
  m.synced = false;
  m.sayState(tick);
  handleRevision(m, welcome.accountRevision);
  const none = { entries: [], feedPosition: 0, more: false };
  handleChanges(m, tick, welcome.changes ?? none, true);
  resume(m);
}

/** A server can't make the client ping without end, nor forget it. */
function heartbeatMs(said: number): number {
  return Math.min(Math.max(said, 50), 3_600_000);
}

/** Looks at everything that an earlier session left open. */
function resume(m: Machine): void {
  for (const it of m.conversations.values()) {
    const open =
      !it.roster ||
      it.log.hasGap ||
      it.acknowledged.isPending ||
      it.read.isPending ||
      it.describeAgain ||
      it.needsHidden;
    if (open) m.work.add(it.id);
  }
  // Receipts said while we were away are not repeated.
  for (const id of m.tracking.conversations()) {
    const it = m.conversations.get(id);
    if (!it) continue;
    it.describeAgain = true;
    m.work.add(id);
  }
  for (const name of m.outbox.unresolved()) m.wantedNames.add(name);
  for (const { call } of m.calls.values()) if (call.type === 'lookup') m.wantedNames.add(call.name);
}

function handleSent(m: Machine, tick: Tick, localId: number, answer: wire.Sent): void {
  const conversation = uuid(answer.conversation);
  const item = m.outbox.handleSent(localId);
  if (!item) return;
  const { seq, timeMs, duplicate, ordinal } = answer;
  const sent = { conversation, seq, timeMs, duplicate };
  if (item.to.type === 'user') {
    const to = { type: 'conversation', conversation } as const;
    m.direct.set(item.to.user, conversation);
    m.outbox.join(item.to, to);
  }
  const sender = m.me ? uuidBytes(m.me) : new Uint8Array(0);
  const { kind, body } = item;
  // A store keeps it in the same form as what the server pushes.
  const raw = rawEntry(
    entryBytes({ seq, ordinal, timeMs, epoch: 0, sender, kind, body, erased: false }),
  );
  const known = m.conversation(conversation);
  if (!duplicate) known.acknowledged.handleGiven(seq, seq);
  known.log.noteLast(seq, tick.nowMs, true);
  // What an earlier try brought may have been deleted since: that is fetched.
  if (raw && !duplicate) known.log.offer(raw);
  m.touch(conversation);
  // The end of the send first: then the entry is known to be the same.
  m.done(item, sent);
  m.effect({ type: 'committed', localId, sent });
  m.tracking.add(localId, sent);
  advance(m, conversation);
  followCursors(m, conversation);
  moveFeed(m, answer.feedPosition);
}

function handleFound(m: Machine, asked: string, found: wire.Found): void {
  m.lookingUp.delete(asked);
  if (!found.user) throw new Malformed('found');
  const user = { id: uuid(found.user.id), name: found.user.name };
  for (const call of waiting(m, (it) => it.type === 'lookup' && it.name === asked)) {
    reply(m, call, user);
  }
  // The server may spell it differently; what was asked resolves all the same.
  const to = resolve(m, { type: 'user', user: user.id });
  m.outbox.join({ type: 'name', name: asked }, to);
  know(m, user);
  learnName(m, user);
}

function handleDescribed(m: Machine, id: string, described: wire.Described): void {
  m.describing = Math.max(0, m.describing - 1);
  callNextInLine(m);
  const description = descriptionOf(described);
  const it = m.conversations.get(id);
  if (!it) return;
  it.handleDescribed(description, m.me, m.sessionNumber);
  const peer = it.peer(m.me);
  if (peer) learnPeer(m, id, peer);
  const current = it.description();
  if (!it.describeAgain) {
    for (const call of waiting(m, (it) => it.type === 'describe' && it.conversation === id)) {
      reply(m, call, current);
    }
  }
  m.changed.add(id);
  advance(m, id);
  followCursors(m, id);
}

function handleReceipt(m: Machine, given: wire.Receipt): void {
  const { feedPosition, ...cursors } = given;
  const receipt: Receipt = {
    ...cursors,
    conversation: uuid(given.conversation),
    user: uuid(given.user),
  };
  const id = receipt.conversation;
  const it = m.conversations.get(id);
  if (it && (it.roster?.handleReceipt(receipt) || !it.roster)) {
    if (receipt.user === m.me) {
      it.acknowledged.handleConfirmed(Math.max(receipt.delivered, receipt.read));
      handleOwnRead(m, id, receipt.read);
    }
    m.emit({ type: 'receipt', receipt });
    m.changed.add(id);
    m.touch(id);
    followCursors(m, id);
  }
  // After the doubt that a cursor may leave: it is asked from before.
  moveFeed(m, feedPosition);
}

function handleOwnRead(m: Machine, id: string, upTo: number): void {
  const it = m.conversations.get(id);
  if (!it) return;
  const doubtful = upTo > it.read.confirmed && it.count.handleRead(upTo);
  const done = it.read.handleConfirmed(upTo);
  if (doubtful) doubt(m);
  doneReading(m, done);
}

function handleMoved(m: Machine, moved: wire.Moved, pending: Pending | undefined): void {
  const id = uuid(moved.conversation);
  const it = m.conversations.get(id);
  if (!it) return;
  if (pending?.type === 'delivered') it.acknowledged.finish(moved.delivered);
  else it.acknowledged.handleConfirmed(moved.delivered);
  if (pending?.type === 'read') it.read.finish();
  handleOwnRead(m, id, moved.read);
  m.changed.add(id);
  m.touch(id);
}

/** Tells the sends that the others' cursors have passed. */
function followCursors(m: Machine, id: string): void {
  const it = m.conversations.get(id);
  if (!it || !m.me) return;
  const { delivered, read } = it.others(m.me);
  for (const { localId, status } of m.tracking.handleCursors(id, delivered, read)) {
    m.emit({ type: 'progress', localId, status });
  }
}
