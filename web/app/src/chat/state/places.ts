// Where the reader was in each chat when they left it, while the page lives: coming back goes on from there.

import type { Session } from '../../app/session.svelte';

/** A row, and how far below the view's top it was. */
export interface Place {
  readonly seq: number;
  readonly offset: number;
  /** What was unread then: with more of it, that comes first. */
  readonly unread: number;
}

/** Chats whose place is kept, at most. */
const KEPT = 200;

const places = new WeakMap<Session, Map<string, Place>>();

function of(session: Session): Map<string, Place> {
  let all = places.get(session);
  if (!all) {
    all = new Map();
    places.set(session, all);
  }
  return all;
}

/** Where a chat was left; nothing if that was its end, or if there is more to read since. */
export function placeIn(session: Session, conversation: string, unread: number): Place | undefined {
  const place = of(session).get(conversation);
  return place && unread <= place.unread ? place : undefined;
}

export function leave(session: Session, conversation: string, place: Place | undefined): void {
  const all = of(session);
  all.delete(conversation);
  if (place) all.set(conversation, place);
  for (const oldest of all.keys()) {
    if (all.size <= KEPT) break;
    all.delete(oldest);
  }
}
