/**
 * What to say to the server, made only when there is room for it.
 *
 * In this order: the hello, heartbeats, typing, the feed, sends, the
 * application's requests, presence, names, then cursors, gaps and descriptions.
 * Nothing is put aside: an envelope that is not asked for is not made.
 */

import { type Init, U64_MAX } from '../codec.ts';
import * as wire from '../gen/wire.ts';
import { fromHex, uuidBytes } from '../ids.ts';
import type { Range } from '../model.ts';
import type { StoredItem } from '../store.ts';
import { deliveredEveryMs } from './cursors.ts';
import { askFeedFrom } from './feed.ts';
import type { ClientKind, Machine } from './machine.ts';
import type { Pending } from './requests.ts';

type Envelope = Init<wire.ClientEnvelope>;

/** This is version 1 of the protocol. */
const VERSION = 1;

/** Descriptions and gap fetches on their way at a time, each. */
const SIDE_BY_SIDE = 8;

/** The next envelope to write, or nothing when there is nothing to say now. */
export function pollTransmit(m: Machine, nowMs: number): Envelope | undefined {
  if (m.helloDue && m.connect.isHandshaking) {
    m.helloDue = false;
    return request(m, nowMs, { type: 'hello' }, { case: 'hello', value: hello(m) });
  }
  if (!m.connect.isReady) return undefined;
  if (m.pingAtMs <= nowMs) {
    m.pingAtMs = nowMs + m.heartbeatMs;
    const ping = { background: m.background };
    return request(m, nowMs, { type: 'ping' }, { case: 'ping', value: ping });
  }
  const said = m.toSay.shift();
  if (said) return { request: 0, kind: said };
  if (!m.requests.hasRoom) return undefined;
  const next =
    nextSync(m, nowMs) ??
    nextSend(m, nowMs) ??
    nextCall(m) ??
    nextWatch(m, nowMs) ??
    nextLookup(m, nowMs) ??
    nextPerson(m) ??
    nextWork(m, nowMs);
  return next && request(m, nowMs, next.pending, next.kind);
}

function request(m: Machine, nowMs: number, pending: Pending, kind: Init<ClientKind>): Envelope {
  return { request: m.requests.add(nowMs, pending), kind };
}

interface Next {
  readonly pending: Pending;
  readonly kind: Init<ClientKind>;
}

function hello(m: Machine): Init<wire.Hello> {
  return {
    versionMin: VERSION,
    versionMax: VERSION,
    token: m.token,
    clientName: m.config.clientName,
    clientVersion: m.config.clientVersion,
    features: [wire.Feature.RECEIPTS],
    feedPosition: askFeedFrom(m),
    background: m.background,
  };
}

function nextSync(m: Machine, nowMs: number): Next | undefined {
  // One at a time: what was asked from is forgotten with the answer.
  if (m.syncAtMs > nowMs || m.feedAsked !== undefined) return undefined;
  m.syncAtMs = Number.POSITIVE_INFINITY;
  const sync = { feedPosition: askFeedFrom(m) };
  return { pending: { type: 'sync' }, kind: { case: 'sync', value: sync } };
}

function nextSend(m: Machine, nowMs: number): Next | undefined {
  const isKnown = (id: string) => m.conversations.get(id)?.roster !== undefined;
  const item = m.outbox.next(nowMs, isKnown);
  if (!item) return undefined;
  m.sayItem(item.localId);
  const pending = { type: 'send', localId: item.localId } as const;
  return { pending, kind: { case: 'send', value: sendOf(item) } };
}

function sendOf({ to, clientMessageId, kind, body }: StoredItem): Init<wire.Send> {
  return { to: targetOf(to), clientMessageId: fromHex(clientMessageId), kind, body };
}

function targetOf(to: StoredItem['to']): wire.Send['to'] {
  switch (to.type) {
    case 'conversation':
      return { case: 'conversation', value: uuidBytes(to.conversation) };
    case 'user':
      return { case: 'peer', value: uuidBytes(to.user) };
    case 'newGroup':
      return { case: 'newGroup', value: true };
    case 'invite':
      return { case: 'invite', value: to.code };
    case 'name':
      // The outbox gives only resolved ones.
      return undefined;
  }
}

function nextCall(m: Machine): Next | undefined {
  for (;;) {
    const id = m.toAsk.shift();
    if (id === undefined) return undefined;
    const call = m.calls.get(id)?.call;
    const pending = { type: 'call', call: id } as const;
    if (call?.type === 'fetch') {
      return { pending, kind: fetch(call.conversation, fromOf(call.range), call.limit) };
    }
    if (call?.type === 'describe') return { pending, kind: describe(call.conversation) };
    if (call?.type === 'ask') return { pending, kind: call.kind };
    // Answered or timed out meanwhile, or asked in another way.
  }
}

function fromOf(range: Range): wire.Fetch['from'] {
  switch (range.type) {
    case 'after':
      return { case: 'afterSeq', value: range.seq };
    case 'before':
      return { case: 'beforeSeq', value: range.seq };
    case 'around':
      return { case: 'aroundSeq', value: range.seq };
    case 'latest':
      return { case: 'beforeSeq', value: U64_MAX };
    case 'aroundTime':
      return { case: 'aroundTimeMs', value: range.timeMs };
    case 'mentionsBefore':
      return { case: 'mentionsBefore', value: range.seq };
    case 'pinned':
      return { case: 'pinned', value: true };
    case 'editsOf':
      return { case: 'editsOf', value: range.seq };
  }
}

function nextWatch(m: Machine, nowMs: number): Next | undefined {
  if (m.watchAtMs > nowMs) return undefined;
  m.watchAtMs = Number.POSITIVE_INFINITY;
  const users = [...m.watched].map(uuidBytes);
  return { pending: { type: 'watch' }, kind: { case: 'subscribe', value: { users } } };
}

function nextLookup(m: Machine, nowMs: number): Next | undefined {
  if (m.lookupAtMs > nowMs) return undefined;
  for (const name of m.wantedNames) {
    m.wantedNames.delete(name);
    if (m.lookingUp.has(name)) continue;
    m.lookingUp.add(name);
    const lookup = { by: { case: 'name', value: name } } as const;
    return { pending: { type: 'lookup', name }, kind: { case: 'lookup', value: lookup } };
  }
  return undefined;
}

function nextPerson(m: Machine): Next | undefined {
  for (const user of m.wantedPeople) {
    m.wantedPeople.delete(user);
    const profile = { user: uuidBytes(user) };
    return { pending: { type: 'name', user }, kind: { case: 'getProfile', value: profile } };
  }
  return undefined;
}

/** Goes through the conversations that may have something to ask or say. */
function nextWork(m: Machine, nowMs: number): Next | undefined {
  for (const id of [...m.work]) {
    const found = workOf(m, id, nowMs);
    if (typeof found === 'object') return found;
    m.work.delete(id);
    if (found === 'wait') m.inLine.add(id);
    else if (found !== undefined) m.timers.set(id, found);
  }
  return undefined;
}

/** A description or a gap fetch is done: the next ones in line may go. */
export function callNextInLine(m: Machine): void {
  // Two, because the first may turn out to need nothing any more.
  for (const id of [...m.inLine].slice(0, 2)) {
    m.inLine.delete(id);
    m.work.add(id);
  }
}

/** What a conversation has to say; or from when on; or that others come first; or nothing. */
function workOf(m: Machine, id: string, nowMs: number): Next | number | 'wait' | undefined {
  const it = m.conversations.get(id);
  if (!it) return undefined;
  const conversation = uuidBytes(id);
  let later: number | undefined;
  let wait = false;
  const putOff = (at: number) => {
    later = Math.min(later ?? at, at);
  };
  const { acknowledged, log } = it;

  const read = it.read.due();
  if (read && read.upTo <= acknowledged.covered) {
    if (read.atMs <= nowMs) {
      it.read.start();
      const value = { conversation, upTo: read.upTo };
      return { pending: { type: 'read', id }, kind: { case: 'read', value } };
    }
    putOff(read.atMs);
  }
  const due = acknowledged.due(log.held);
  if (due) {
    if (due.atMs <= nowMs) {
      const members = it.roster?.description.members.length ?? 0;
      // Whoever waits for the end doesn't wait for better company.
      acknowledged.start(nowMs + (m.isDraining ? 0 : deliveredEveryMs(members, m.me ?? '')));
      const value = { conversation, upTo: due.upTo };
      return { pending: { type: 'delivered', id }, kind: { case: 'delivered', value } };
    }
    putOff(due.atMs);
  }
  if (it.needsDescribing) {
    if (it.describeAtMs > nowMs) putOff(it.describeAtMs);
    else if (m.describing < SIDE_BY_SIDE) {
      it.describing = true;
      m.describing++;
      return { pending: { type: 'describe', id }, kind: describe(id) };
    } else wait = true;
  }
  if (it.needsHidden) {
    it.askingHidden = true;
    const value = { conversation, after: it.hiddenKnown };
    return { pending: { type: 'hidden', id }, kind: { case: 'hidden', value } };
  }
  const gapAt = it.begun && it.roster ? log.fetchAtMs() : undefined;
  if (gapAt !== undefined) {
    if (gapAt > nowMs) putOff(gapAt);
    else if (m.fetching < SIDE_BY_SIDE) {
      log.startFetch();
      m.fetching++;
      const kind = fetch(id, { case: 'afterSeq', value: log.held });
      return { pending: { type: 'fetch', id }, kind };
    } else wait = true;
  }
  const from = acknowledged.fetchFrom(log.held);
  if (from !== undefined) {
    if (m.fetching < SIDE_BY_SIDE) {
      acknowledged.startRecovery();
      m.fetching++;
      const kind = fetch(id, { case: 'afterSeq', value: from });
      return { pending: { type: 'cover', id }, kind };
    }
    wait = true;
  }
  return wait ? 'wait' : later;
}

function describe(id: string): Init<ClientKind> {
  return { case: 'describe', value: { conversation: uuidBytes(id) } };
}

function fetch(id: string, from: wire.Fetch['from'], limit = 0): Init<ClientKind> {
  return { case: 'fetch', value: { conversation: uuidBytes(id), from, limit } };
}
