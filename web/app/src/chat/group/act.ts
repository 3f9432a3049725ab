// One change of a group: waits until it is committed, says why when it was refused.

import type { Action } from '@parley/client';
import { problemText } from '../../app/problems';
import type { Session } from '../../app/session.svelte';
import { notify } from '../../lib/ui';

/** True when it was done. A refused change is put away: the form it came from is still there. */
export async function change(
  session: Session,
  conversation: string,
  action: Action,
): Promise<boolean> {
  try {
    const { localId } = await session.client.submit({ type: 'conversation', conversation }, action);
    try {
      await session.client.committed(localId);
      return true;
    } catch (error) {
      await session.client.discard(localId).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    notify(problemText(error), { kind: 'error' });
    return false;
  }
}
