/**
 * People: the names that entries wait for, who comes and goes, who types.
 */

import { nameless, presenceOf, profileOf } from '../convert.ts';
import type * as wire from '../gen/wire.ts';
import { people, type Raw } from '../history.ts';
import { uuid } from '../ids.ts';
import type { Tick } from './connect.ts';
import type { Conversation } from './conversation/conversation.ts';
import type { Parts } from './parts.ts';

/** Names asked one by one for one entry; for more, the whole conversation is described. */
const ONE_BY_ONE = 4;

/**
 * Whether the names that an entry needs are known, or can't be. Asks for them
 * when they are not.
 */
export function canName(p: Parts, it: Conversation, entry: Raw): boolean {
  const isKnown = (user: string) => it.named(user) ?? p.names.get(user) ?? user === p.account.me;
  const missing = people(entry).filter((user) => !isKnown(user));
  if (missing.length === 0) return true;
  if (!it.startNaming(entry.seq)) {
    // Asked already: waits for what is on its way, and for nothing else.
    return !it.describing.isAwaited && !missing.some((user) => p.names.isRequested(user));
  }
  if (missing.length > ONE_BY_ONE) {
    it.describing.again();
    return false;
  }
  return !p.names.request(it.id, missing);
}

/** Somebody stopped typing, or sent what they typed. */
export function stopTyping(p: Parts, conversation: string, user: string): void {
  if (p.presence.stopTyping(conversation, user)) reportTyping(p, conversation, user, false);
}

export function reportTyping(p: Parts, conversation: string, id: string, active: boolean): void {
  const user = p.nameIn(conversation, id);
  p.outputs.emit({ type: 'typing', typing: { conversation, user, active } });
}

export function handleProfile(p: Parts, given: wire.Profile): void {
  const profile = profileOf(given);
  if (!profile.deleted) p.names.learn(profile.user);
  p.outputs.emit({ type: 'profile', profile });
}

export function handlePresence(p: Parts, presence: wire.Presence): void {
  const name = (id: string) => p.findUsers([id])[0] ?? nameless(id);
  p.outputs.emit({ type: 'presence', presence: presenceOf(presence, name) });
}

export function handleTyped(p: Parts, tick: Tick, typed: wire.Typed): void {
  const conversation = uuid(typed.conversation);
  const user = uuid(typed.user);
  if (user === p.account.me || !p.conversations.get(conversation)) return;
  if (typed.stopped) {
    stopTyping(p, conversation, user);
    return;
  }
  const lastsMs = Math.min(Math.max(typed.expiresMs, 500), 60_000);
  const isNew = p.presence.handleTyping(conversation, user, tick.nowMs + lastsMs);
  if (isNew) reportTyping(p, conversation, user, true);
}
