// What is done with an account whose session was ended elsewhere, or ran out.

/**
 * Takes off this browser what was read with it: messages, people, notifications. What its
 * user wrote and was not sent waits for the next sign-in.
 */
export async function forgetRead(userId: string, slot: number): Promise<void> {
  // Rare, and not needed to sign in: loaded when it happens.
  const [{ wipeRead }, { closeNotifications }] = await Promise.all([
    import('@parley/client/cache'),
    import('./notifications'),
  ]);
  await Promise.all([wipeRead(userId), closeNotifications(slot)]);
}
