// Blocking somebody, from wherever it is done.

import type { Session } from '../app/session.svelte';

/**
 * Blocks somebody and puts away what they asked: it would ask for ever. Returns whether
 * something was put away.
 */
export async function blockPerson(session: Session, user: string): Promise<boolean> {
  await session.client.block(user);
  await session.reloadAccount();
  const asked = session.conversations.get().requests.find((row) => row.peer?.id === user);
  if (asked) await session.client.setPreferences(asked.id, { archived: true });
  return asked !== undefined;
}

/** Whether the user blocked somebody, as far as known. */
export function isBlocked(session: Session, user: string | undefined): boolean {
  return (
    user !== undefined && (session.account?.blocked.some((one) => one.user.id === user) ?? false)
  );
}
