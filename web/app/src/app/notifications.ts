// Notifications while the app is open somewhere but not in view. A conversation has one at a
// time (its tag), also over tabs; a tap opens it. Without a preview they say only that something came.

import type { Entry, Message, Preferences } from '@parley/client';
import { oneLine } from '../chat/text/segments';
import { t } from '../i18n';
import { type Device, deviceSettings } from '../lib/device.svelte';
import { go } from '../lib/router.svelte';
import { href, parse } from '../lib/routes';
import { cleanName } from './names.svelte';
import type { Session } from './session.svelte';

const PREVIEW_CHARS = 140;

export type Permission = NotificationPermission | 'unsupported';

export function permission(): Permission {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}

/** Asks the browser; only after the person pressed a button that says what for. */
export async function askPermission(): Promise<Permission> {
  if (permission() !== 'default') return permission();
  return Notification.requestPermission();
}

/** Whether a message of a conversation is told at all. */
export function wanted(
  message: Pick<Message, 'own' | 'mentionsMe' | 'deleted'>,
  preferences: Pick<Preferences, 'mutedUntilMs' | 'level'>,
  device: Pick<Device, 'notify'>,
  nowMs: number,
): boolean {
  if (!device.notify || message.own || message.deleted) return false;
  if (preferences.mutedUntilMs > nowMs || preferences.level === 'none') return false;
  return preferences.level === 'all' || message.mentionsMe;
}

/** Tells of new messages until the returned function is called. */
export function watchForMessages(session: Session): () => void {
  const stop = session.client.on((event) => {
    if (event.type === 'entry') void tell(session, event.entry);
  });
  const unsay = sayLookedAt(session);
  return () => {
    stop();
    unsay();
  };
}

const lookedAtLock = (session: Session) => `parley-looked-at-${session.me.id}`;

/** Holds a lock while this tab is in view, and until it is closed: other tabs of the account notify of nothing then. */
function sayLookedAt(session: Session): () => void {
  let release: (() => void) | undefined;
  const look = () => {
    const looked = document.hasFocus();
    if (looked === (release !== undefined)) return;
    release?.();
    release = undefined;
    if (!looked) return;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    void navigator.locks?.request(lookedAtLock(session), { mode: 'shared' }, () => held);
  };
  look();
  const ended = new AbortController();
  for (const event of ['focus', 'blur']) addEventListener(event, look, { signal: ended.signal });
  return () => {
    ended.abort();
    release?.();
  };
}

async function lookedAt(session: Session): Promise<boolean> {
  if (document.hasFocus()) return true;
  const locks = await navigator.locks?.query();
  return locks?.held?.some(({ name }) => name === lookedAtLock(session)) ?? false;
}

async function tell(session: Session, entry: Entry): Promise<void> {
  if (entry.type !== 'message' || permission() !== 'granted') return;
  if (await lookedAt(session)) return;
  const all = await session.client.conversations({ cached: true });
  const conversation = all.find((one) => one.id === entry.conversation);
  if (conversation === undefined || conversation.request) return;
  if (entry.seq <= conversation.read) return;
  if (!wanted(entry, conversation.preferences, deviceSettings(), Date.now())) return;
  const sender = session.names.of(entry.sender);
  const title = cleanName(conversation.info.title);
  const preview = deviceSettings().notifyPreview;
  await show(
    preview ? (title === '' ? sender : `${sender} · ${title}`) : t('app.name'),
    preview ? oneLine(entry.text, PREVIEW_CHARS) : t('notify.quiet'),
    `${session.slot}:${entry.conversation}`,
    href({ name: 'conversation', slot: session.slot, conversation: entry.conversation }),
  );
}

/** Shows one, by the service worker where there is one (phones know no other way). */
export async function show(title: string, body: string, tag: string, path: string): Promise<void> {
  const options: NotificationOptions = { body, tag, icon: '/icon-192.png', data: { path } };
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker?.active) {
    await worker.showNotification(title, options);
    return;
  }
  const notification = new Notification(title, options);
  notification.onclick = () => {
    window.focus();
    go(parse(path));
    notification.close();
  };
}
