/**
 * What the application asks and waits for.
 *
 * A call is kept until it is answered or its time is up; one that was on its way
 * when the connection ended is asked again. Bounded by {@link CALLS}.
 */

import { closed, type ErrorInfo, fromName, problem } from '../error.ts';
import { uuid } from '../ids.ts';
import type { Range } from '../model.ts';
import type { Tick } from './connect.ts';
import type { ClientKind, Machine } from './machine.ts';
import { watch } from './people.ts';

/** Requests of the application without an answer yet, at most. */
export const CALLS = 1_024;

export type Call =
  | {
      readonly type: 'fetch';
      readonly conversation: string;
      readonly range: Range;
      readonly limit: number;
    }
  | { readonly type: 'describe'; readonly conversation: string }
  | { readonly type: 'lookup'; readonly name: string }
  | { readonly type: 'read'; readonly conversation: string; readonly upTo: number }
  | { readonly type: 'list' }
  /** Any other request that has an answer of its own. It is made again after a reconnect. */
  | { readonly type: 'ask'; readonly kind: ClientKind };

/** Takes a call; its answer comes as the effect `reply` or `refuse`. */
export function startCall(m: Machine, tick: Tick, id: number, call: Call): void {
  if (m.connect.isClosed || m.isDraining) {
    refuse(m, id, closed());
    return;
  }
  if (m.calls.size >= CALLS) {
    refuse(m, id, problem('full', 'too many open requests'));
    return;
  }
  m.calls.set(id, { call, untilMs: tick.nowMs + m.config.requestTimeoutMs });
  switch (call.type) {
    case 'fetch':
      m.toAsk.push(id);
      break;
    case 'ask':
      if (call.kind.case === 'subscribe' && !call.kind.value.once) {
        const { users, drop } = call.kind.value;
        if (!watch(m, users.map(uuid), drop.map(uuid))) {
          refuse(m, id, fromName('list_full'));
          return;
        }
      }
      m.toAsk.push(id);
      break;
    case 'describe':
      describe(m, id, call.conversation);
      break;
    case 'lookup': {
      const user = m.names.get(call.name);
      if (user) reply(m, id, user);
      else if (!m.lookingUp.has(call.name)) m.wantedNames.add(call.name);
      break;
    }
    case 'read':
      wantRead(m, id, call.conversation, call.upTo);
  }
  m.settle(tick);
}

export function reply(m: Machine, call: number, value?: unknown): void {
  if (m.calls.delete(call)) m.effect({ type: 'reply', call, value });
}

export function refuse(m: Machine, call: number, error: ErrorInfo): void {
  m.calls.delete(call);
  m.effect({ type: 'refuse', call, error });
}

/** The user's read cursor has passed what these waited for. */
export function doneReading(m: Machine, calls: readonly number[]): void {
  for (const call of calls) reply(m, call);
}

export function expireCalls(m: Machine, nowMs: number): void {
  for (const [id, { call, untilMs }] of m.calls) {
    if (untilMs > nowMs) break;
    if (call.type === 'read') m.conversations.get(call.conversation)?.read.forget(id);
    m.toAsk = m.toAsk.filter((other) => other !== id);
    refuse(m, id, problem('timeout', 'no answer in time'));
  }
}

/** The calls that ask for the same thing. */
export function waiting(m: Machine, same: (call: Call) => boolean): number[] {
  return [...m.calls].filter(([, { call }]) => same(call)).map(([id]) => id);
}

function describe(m: Machine, id: number, conversation: string): void {
  const known = m.conversations.get(conversation);
  if (!known) {
    // Asked without becoming a line of the list: it may be nobody's.
    m.toAsk.push(id);
    return;
  }
  // Receipts keep it up to date within a session.
  const current = known.describedIn === m.sessionNumber && !known.describeAgain;
  if (known.roster && (current || !m.connect.isReady)) {
    reply(m, id, known.description());
    return;
  }
  known.describeAgain = true;
  m.work.add(conversation);
}

function wantRead(m: Machine, id: number, conversation: string, upTo: number): void {
  const known = m.conversations.get(conversation);
  if (!known) {
    refuse(m, id, fromName('not_found'));
    return;
  }
  if (upTo > known.log.last) {
    refuse(m, id, fromName('cursor_ahead'));
    return;
  }
  if (known.read.want(upTo, id)) {
    // Reading implies holding: what this session was not given is fetched for it.
    known.acknowledged.handleTaken(upTo);
    m.touch(conversation);
  } else reply(m, id);
}

/** Answers those who want the list once it is worth it. */
export function settleLists(m: Machine): void {
  const calls = waiting(m, (call) => call.type === 'list');
  if (calls.length === 0 || !isSettled(m)) return;
  for (const id of calls) reply(m, id, m.lines());
}

function isSettled(m: Machine): boolean {
  const { type } = m.connect.phase;
  if (type === 'ready') return m.synced && [...m.conversations.values()].every((it) => it.roster);
  return type === 'waiting' || type === 'closed';
}
