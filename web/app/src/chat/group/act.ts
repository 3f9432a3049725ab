// What a form sends: waits until it is committed, says why when it was refused.

import type { Action, Sent, To } from '@parley/client';
import { problemText } from '../../app/problems';
import type { Session } from '../../app/session.svelte';
import { notify } from '../../lib/ui';

/**
 * Rejects when it was refused. Then it is put away and not left in the outbox:
 * the form it came from is still there, and is where it is corrected.
 */
export async function commit({ client }: Session, to: To, action: Action): Promise<Sent> {
  const { localId } = await client.submit(to, action);
  try {
    return await client.committed(localId);
  } catch (error) {
    await client.discard(localId).catch(() => undefined);
    throw error;
  }
}

/** One change of a group; true when it was done. */
export async function change(
  session: Session,
  conversation: string,
  action: Action,
): Promise<boolean> {
  try {
    await commit(session, { type: 'conversation', conversation }, action);
    return true;
  } catch (error) {
    notify(problemText(error), { kind: 'error' });
    return false;
  }
}
