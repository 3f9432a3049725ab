/**
 * Where sends go: names become users, users become their 1:1 conversations, as
 * soon as that is known.
 */

import type { To } from '../actions.ts';
import type { User } from '../model.ts';
import type { StoredItem } from '../store.ts';
import type { Parts } from './parts.ts';

/** The most certain form of a target. */
export function resolve(p: Parts, to: To): To {
  if (to.type === 'name') {
    const user = p.names.byName(to.name);
    return user ? resolve(p, { type: 'user', user: user.id }) : to;
  }
  if (to.type === 'user') {
    const conversation = p.conversations.direct(to.user);
    return conversation ? { type: 'conversation', conversation } : to;
  }
  return to;
}

/** Puts an item into the outbox, new or from a store; a name it goes to is looked up. */
export function push(p: Parts, item: StoredItem): void {
  const to = item.error ? item.to : resolve(p, item.to);
  p.outbox.push({ ...item, to });
  if (to.type === 'name' && !item.error) p.names.wantLookup(to.name);
}

/** Learns which user is behind which 1:1 conversation. */
export function learnPeers(p: Parts): void {
  for (const it of p.conversations.values()) {
    const peer = it.peer(p.account.me);
    if (peer) learnPeer(p, it.id, peer);
  }
}

export function learnPeer(p: Parts, conversation: string, peer: User): void {
  p.conversations.setDirect(peer.id, conversation);
  p.outbox.merge({ type: 'user', user: peer.id }, { type: 'conversation', conversation });
  learnName(p, peer);
}

export function learnName(p: Parts, user: User): void {
  p.outbox.merge({ type: 'name', name: user.name }, resolve(p, { type: 'user', user: user.id }));
  p.names.learnByName(user);
}
