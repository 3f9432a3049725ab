// What is done with an account whose session was ended elsewhere, or ran out.

import { wipeRead } from '@parley/client/cache';
import { closeNotifications } from './shown-notifications';

/**
 * Takes off this browser what was read with it: messages, people, notifications. What its
 * user wrote and was not sent waits for the next sign-in.
 */
export async function forgetRead(userId: string, slot: number): Promise<void> {
  await Promise.all([wipeRead(userId), closeNotifications(slot)]);
}
