/**
 * What to send to the server, made only when there is room for it.
 *
 * In this order: the hello, heartbeats, notices, the feed, sends, the
 * application's requests, presence, names, then cursors, gaps and descriptions.
 * Nothing is put aside: an envelope that is not asked for is not made.
 */

import type { Init } from '../codec.ts';
import * as wire from '../gen/wire.ts';
import { fromHex, uuidBytes } from '../ids.ts';
import type { StoredItem } from '../store.ts';
import type { Call } from './calls.ts';
import type { Parts } from './parts.ts';
import type { ClientKind, Request } from './requests.ts';

export type Envelope = Init<wire.ClientEnvelope>;

/** This is version 1 of the protocol. */
const VERSION = 1;

/** The next envelope to write, or nothing when there is nothing to send now. */
export function pollTransmit(p: Parts, nowMs: number): Envelope | undefined {
  if (p.connect.takeHello()) return request(p, nowMs, hello(p));
  if (!p.connect.isReady) return undefined;
  if (p.liveness.takePing(nowMs)) {
    const ping = { background: p.liveness.isBackground };
    return request(p, nowMs, { pending: { type: 'ping' }, kind: { case: 'ping', value: ping } });
  }
  const notice = p.presence.nextNotice();
  if (notice) return { request: 0, kind: notice };
  if (!p.requests.hasRoom) return undefined;
  const next =
    nextSync(p, nowMs) ??
    nextSend(p, nowMs) ??
    nextCall(p) ??
    nextWatch(p, nowMs) ??
    nextLookup(p, nowMs) ??
    nextProfile(p) ??
    // In a drain acknowledgements don't wait to go together.
    p.conversations.next(nowMs, p.account.me, p.outbox.isDraining);
  return next && request(p, nowMs, next);
}

function request(p: Parts, nowMs: number, { pending, kind }: Request): Envelope {
  return { request: p.requests.add(nowMs, pending), kind };
}

function hello(p: Parts): Request {
  const value = {
    versionMin: VERSION,
    versionMax: VERSION,
    token: p.connect.token,
    clientName: p.config.clientName,
    clientVersion: p.config.clientVersion,
    features: [wire.Feature.RECEIPTS],
    feedPosition: p.feed.ask(),
    background: p.liveness.isBackground,
  };
  return { pending: { type: 'hello' }, kind: { case: 'hello', value } };
}

function nextSync(p: Parts, nowMs: number): Request | undefined {
  const feedPosition = p.feed.takeSync(nowMs);
  if (feedPosition === undefined) return undefined;
  return { pending: { type: 'sync' }, kind: { case: 'sync', value: { feedPosition } } };
}

function nextSend(p: Parts, nowMs: number): Request | undefined {
  const item = p.outbox.next(
    nowMs,
    (id) => p.conversations.get(id)?.describing.isDescribed === true,
  );
  if (!item) return undefined;
  const { localId, to, clientMessageId, kind, body } = item;
  const value = { to: targetOf(to), clientMessageId: fromHex(clientMessageId), kind, body };
  return { pending: { type: 'send', localId }, kind: { case: 'send', value } };
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
      // The outbox hands out only resolved ones.
      return undefined;
  }
}

function nextCall(p: Parts): Request | undefined {
  for (let next = p.calls.next(); next; next = p.calls.next()) {
    const kind = kindOf(next.call);
    if (kind) return { pending: { type: 'call', call: next.id }, kind };
  }
  return undefined;
}

/** Nothing for calls that are asked in another way. */
function kindOf(call: Call): Init<ClientKind> | undefined {
  if (call.type === 'ask') return call.kind;
  if (call.type === 'fetch') return { case: 'fetch', value: call.fetch };
  if (call.type !== 'describe') return undefined;
  return { case: 'describe', value: { conversation: uuidBytes(call.conversation) } };
}

function nextWatch(p: Parts, nowMs: number): Request | undefined {
  const users = p.presence.takeWatch(nowMs)?.map(uuidBytes);
  return users && { pending: { type: 'watch' }, kind: { case: 'subscribe', value: { users } } };
}

function nextLookup(p: Parts, nowMs: number): Request | undefined {
  const name = p.names.nextLookup(nowMs);
  if (name === undefined) return undefined;
  const value = { by: { case: 'name', value: name } } as const;
  return { pending: { type: 'lookup', name }, kind: { case: 'lookup', value } };
}

function nextProfile(p: Parts): Request | undefined {
  const user = p.names.nextProfile();
  if (user === undefined) return undefined;
  const value = { user: uuidBytes(user) };
  return { pending: { type: 'name', user }, kind: { case: 'getProfile', value } };
}
