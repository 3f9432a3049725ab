// The notifications of an account that are on the screen. What ends an account needs only this of them.

export type Permission = NotificationPermission | 'unsupported';

/** Those that are shown without a service worker. */
export const own = new Map<string, Notification>();

export function permission(): Permission {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}

/** Those of one account. */
export async function shown(slot: number): Promise<Notification[]> {
  if (permission() !== 'granted') return [];
  const worker = await navigator.serviceWorker?.getRegistration();
  const all = [...((await worker?.getNotifications()) ?? []), ...own.values()];
  return all.filter(({ tag }) => tag.startsWith(`${slot}:`));
}

export function close(notification: Notification): void {
  notification.close();
  if (own.get(notification.tag) === notification) own.delete(notification.tag);
}

/** Closes all of an account: it is signed out. */
export async function closeNotifications(slot: number): Promise<void> {
  for (const one of await shown(slot)) close(one);
}
