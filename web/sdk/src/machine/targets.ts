/**
 * Where sends go: names become users, users become their 1:1 conversations, as
 * soon as that is known.
 */

import type { To } from '../actions.ts';
import type { User } from '../model.ts';
import type { Machine } from './machine.ts';

/** Names of users kept for later sends, at most. */
const NAMES = 4_096;

/** The most certain form of a target. */
export function resolve(m: Machine, to: To): To {
  if (to.type === 'name') {
    const user = m.names.get(to.name);
    return user ? resolve(m, { type: 'user', user: user.id }) : to;
  }
  if (to.type === 'user') {
    const conversation = m.direct.get(to.user);
    return conversation ? { type: 'conversation', conversation } : to;
  }
  return to;
}

/** Learns which user is behind which 1:1 conversation. */
export function learnPeers(m: Machine): void {
  for (const it of m.conversations.values()) {
    const peer = it.peer(m.me);
    if (peer) learnPeer(m, it.id, peer);
  }
}

export function learnPeer(m: Machine, conversation: string, peer: User): void {
  m.direct.set(peer.id, conversation);
  m.outbox.join({ type: 'user', user: peer.id }, { type: 'conversation', conversation });
  learnName(m, peer);
}

export function learnName(m: Machine, user: User): void {
  m.outbox.join({ type: 'name', name: user.name }, resolve(m, { type: 'user', user: user.id }));
  if (m.names.size >= NAMES) m.names.clear();
  m.names.set(user.name, user);
}
