// Who of those on screen is online: watched while the screen is there.

import type { Presence } from '@parley/client';
import { SvelteMap } from 'svelte/reactivity';
import type { Session } from '../app/session.svelte';

/**
 * Follows the presence of `users()`; call it while a component is made. Without a
 * connection nobody is known to be there.
 */
export function watchPresence(
  session: Session,
  users: () => readonly string[],
): { get(user: string): Presence | undefined } {
  const known = new SvelteMap<string, Presence>();
  const watched = new Map<string, () => void>();
  $effect(() => {
    const wanted = new Set(users());
    for (const [id, stop] of watched) {
      if (wanted.has(id)) continue;
      stop();
      watched.delete(id);
    }
    for (const id of wanted) {
      if (watched.has(id)) continue;
      const stop = session.presence.of(id).subscribe((presence) => {
        if (presence !== undefined) known.set(id, presence);
      });
      watched.set(id, stop);
    }
  });
  $effect(() => () => {
    for (const stop of watched.values()) stop();
    watched.clear();
  });
  return { get: (user) => (session.live ? known.get(user) : undefined) };
}
