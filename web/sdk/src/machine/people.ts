/**
 * People: the names of those known by id, who is online, who writes.
 *
 * Names come with descriptions; an author who left or somebody just added is
 * asked for. What the server doesn't name is called by its id, so that no
 * message waits for ever. All tables are bounded.
 */

import { nameless, presenceOf, profileOf } from '../convert.ts';
import type * as wire from '../gen/wire.ts';
import { uuid, uuidBytes } from '../ids.ts';
import type { User } from '../model.ts';
import type { Tick } from './connect.ts';
import type { Conversation } from './conversation.ts';
import { advance } from './entries.ts';
import type { Machine } from './machine.ts';

/** Users whose names are kept, at most. */
const KNOWN = 4_096;

/** Names asked one by one for one entry; for more, the whole conversation is described. */
const ONE_BY_ONE = 4;

/** People who write at the same time, at most. */
const TYPING = 1_024;

/** The user's own typing is said again after so long. */
const TYPING_AGAIN_MS = 3_000;

/** Users a session may be subscribed to. */
export const SUBSCRIPTIONS = 500;

/** The user with this id in a conversation; called by the id when the name is not known. */
export function nameIn(m: Machine, conversation: Conversation | undefined, user: string): User {
  return conversation?.named(user) ?? userOf(m, user);
}

export function userOf(m: Machine, id: string): User {
  const own = m.account?.user;
  return (own?.id === id ? own : m.known.get(id)) ?? nameless(id);
}

/** Those of these users who are known from anywhere. */
export function findUsers(m: Machine, ids: readonly string[]): User[] {
  return ids.flatMap((id) => {
    const own = m.account?.user;
    const near = (own?.id === id ? own : undefined) ?? m.known.get(id);
    if (near) return near;
    for (const it of m.conversations.values()) {
      const met = it.named(id);
      if (!met) continue;
      know(m, met);
      return met;
    }
    return [];
  });
}

/**
 * Whether the names that an entry needs are known, or can't be. Asks for them
 * when they are not.
 */
export function canName(m: Machine, it: Conversation, seq: number, people: string[]): boolean {
  const missing = people.filter((user) => !it.named(user) && !m.known.has(user) && user !== m.me);
  if (missing.length === 0) return true;
  if (it.naming === seq) {
    // Asked already: waits for what is on its way, and for nothing else.
    const coming = missing.some((user) => m.askingNames.has(user));
    return !coming && !it.describeAgain && !it.describing;
  }
  it.naming = seq;
  if (missing.length > ONE_BY_ONE) {
    it.describeAgain = true;
    return false;
  }
  const asked = missing.filter((user) => !m.nameless.has(user));
  for (const user of asked) {
    if (m.askingNames.has(user)) continue;
    m.askingNames.add(user);
    m.wantedPeople.add(user);
  }
  if (asked.length > 0) m.naming.add(it.id);
  return asked.length === 0;
}

/** A name came, or can't be had. */
export function handleName(m: Machine, user: string, found: User | undefined): void {
  m.askingNames.delete(user);
  if (found) know(m, found);
  else {
    if (m.nameless.size >= KNOWN) m.nameless.clear();
    m.nameless.add(user);
  }
  for (const id of [...m.naming]) {
    m.naming.delete(id);
    advance(m, id);
    if (m.conversations.get(id)?.log.peek()) m.naming.add(id);
  }
}

export function know(m: Machine, user: User): void {
  const before = m.known.get(user.id);
  if (before?.name === user.name) return;
  if (m.known.size >= KNOWN) m.known.clear();
  m.known.set(user.id, user);
  m.save({ type: 'user', user });
}

/** What was on its way to be named is asked again in the next session. */
export function forgetAskedNames(m: Machine): void {
  for (const user of m.askingNames) m.wantedPeople.add(user);
  m.nameless.clear();
}

export function handleProfile(m: Machine, given: wire.Profile): void {
  const profile = profileOf(given);
  if (!profile.deleted) know(m, profile.user);
  m.emit({ type: 'profile', profile });
}

export function handlePresence(m: Machine, presence: wire.Presence): void {
  const name = (id: string) => findUsers(m, [id])[0] ?? nameless(id);
  m.emit({ type: 'presence', presence: presenceOf(presence, name) });
}

/** Follows a subscription, to renew it in every session. False when it would be of too many. */
export function watch(m: Machine, users: readonly string[], drop: readonly string[]): boolean {
  const watched = new Set(m.watched);
  for (const user of drop) watched.delete(user);
  for (const user of users) watched.add(user);
  if (watched.size > SUBSCRIPTIONS) return false;
  m.watched = watched;
  return true;
}

/** The user writes in a conversation, or stopped. Without a session it is not said at all. */
export function sayTyping(m: Machine, tick: Tick, conversation: string, active: boolean): void {
  if (!m.connect.isReady) return;
  const said = m.ownTyping.get(conversation);
  if (active && (said === undefined || tick.nowMs >= said + TYPING_AGAIN_MS)) {
    if (m.ownTyping.size >= TYPING) m.ownTyping.clear();
    m.ownTyping.set(conversation, tick.nowMs);
  } else if (!active && said !== undefined) m.ownTyping.delete(conversation);
  else return;
  // Newer words replace those that have not left.
  const value = { conversation: uuidBytes(conversation), stopped: !active };
  m.toSay = m.toSay.filter(
    (it) => it.case !== 'typing' || uuid(it.value.conversation) !== conversation,
  );
  if (m.toSay.length < TYPING) m.toSay.push({ case: 'typing', value });
}

export function handleTyped(m: Machine, tick: Tick, typed: wire.Typed): void {
  const conversation = uuid(typed.conversation);
  const user = uuid(typed.user);
  if (user === m.me || !m.conversations.has(conversation)) return;
  if (typed.stopped) {
    stoppedTyping(m, conversation, user);
    return;
  }
  const key = conversation + user;
  const known = m.typing.has(key);
  if (!known && m.typing.size >= TYPING) return;
  const lastsMs = Math.min(Math.max(typed.expiresMs, 500), 60_000);
  m.typing.set(key, { conversation, user, untilMs: tick.nowMs + lastsMs });
  if (!known) sayTyped(m, conversation, user, true);
}

/** They stopped, or sent what they wrote. */
export function stoppedTyping(m: Machine, conversation: string, user: string): void {
  if (m.typing.delete(conversation + user)) sayTyped(m, conversation, user, false);
}

/** When the first of those who write counts as stopped. */
export function typingDeadline(m: Machine): number {
  let at = Number.POSITIVE_INFINITY;
  for (const { untilMs } of m.typing.values()) at = Math.min(at, untilMs);
  return at;
}

export function expireTyping(m: Machine, nowMs: number): void {
  for (const { conversation, user, untilMs } of [...m.typing.values()]) {
    if (untilMs <= nowMs) stoppedTyping(m, conversation, user);
  }
}

function sayTyped(m: Machine, conversation: string, user: string, active: boolean): void {
  const typing = { conversation, user: nameIn(m, m.conversations.get(conversation), user), active };
  m.emit({ type: 'typing', typing });
}
