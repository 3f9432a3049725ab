// Notifications while the app is open somewhere but not in view. A conversation has one at a
// time (its tag), also over tabs; a tap opens it. Without a preview they say only that something came.
// One goes as soon as its message was read anywhere, or is gone. While a window of the app has the
// focus nothing is notified, whatever it shows: the list and the window's title tell of it.

import type { Edit, Entry, Event, Message, Preferences } from '@parley/client';
import { shownName } from '@parley/client/text';
import { oneLine } from '../chat/text/segments';
import { t } from '../i18n';
import { type Device, deviceSettings } from '../lib/device.svelte';
import { go } from '../lib/router.svelte';
import { href, parse } from '../lib/routes';
import type { Session } from './session.svelte';
import { close, own, type Permission, permission, shown } from './shown-notifications';

export { type Permission, permission };

const PREVIEW_CHARS = 140;

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
    void closeGone(session.slot, (about) => isGone(about, event));
    if (event.type !== 'entry') return;
    if (event.entry.type === 'edit') void retell(session, event.entry);
    else void tell(session, event.entry);
  });
  const unsay = sayLookedAt(session);
  void closeOld(session);
  const timer = setInterval(() => void closeExpired(session.slot), EXPIRED_MS);
  return () => {
    stop();
    unsay();
    clearInterval(timer);
  };
}

/** What a notification is about. */
export interface About {
  readonly path: string;
  readonly conversation: string;
  readonly seq: number;
  /** From then on its message is too old to be shown. */
  readonly expiresMs?: number | undefined;
}

/** How often is looked for notifications of messages that are too old. */
const EXPIRED_MS = 1_000;

/** Whether a notification has nothing to tell any more after this. */
export function isGone({ conversation, seq }: About, event: Event): boolean {
  switch (event.type) {
    case 'conversation': {
      const { id, read, preferences } = event.conversation;
      return id === conversation && seq <= Math.max(read, preferences.clearedUpTo);
    }
    case 'reset':
      return (event.conversation ?? conversation) === conversation;
    case 'cleared':
      return event.conversation === conversation && seq <= event.upTo;
    case 'hidden':
      return event.conversation === conversation && event.seqs.includes(seq);
    case 'entry':
      return (
        event.entry.conversation === conversation &&
        event.entry.type === 'deletion' &&
        event.entry.target === seq
      );
    default:
      return false;
  }
}

async function closeGone(slot: number, gone: (about: About) => boolean): Promise<void> {
  for (const one of await shown(slot)) {
    const about = one.data as Partial<About> | null;
    if (about?.conversation && about.seq && gone(about as About)) close(one);
  }
}

function closeExpired(slot: number): Promise<void> {
  return closeGone(slot, ({ expiresMs }) => expiresMs !== undefined && expiresMs <= Date.now());
}

/** Closes those whose messages were read, or went, while no page was open. */
async function closeOld(session: Session): Promise<void> {
  if ((await shown(session.slot)).length === 0) return;
  const all = await session.client.conversations().catch(() => []);
  for (const conversation of all) {
    await closeGone(session.slot, (about) => isGone(about, { type: 'conversation', conversation }));
  }
}

/** A message that is notified has another text. */
async function retell(session: Session, edit: Edit): Promise<void> {
  if (!deviceSettings().notifyPreview) return;
  for (const one of await shown(session.slot)) {
    const about = one.data as Partial<About> | null;
    if (about?.conversation !== edit.conversation || about.seq !== edit.target) continue;
    await show(one.title, oneLine(edit.text, PREVIEW_CHARS), one.tag, about as About);
  }
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
  const title = shownName(conversation.info.title);
  const preview = deviceSettings().notifyPreview;
  await show(
    preview ? (title === '' ? sender : `${sender} · ${title}`) : t('app.name'),
    preview ? oneLine(entry.text, PREVIEW_CHARS) : t('notify.quiet'),
    `${session.slot}:${entry.conversation}`,
    {
      path: href({ name: 'conversation', slot: session.slot, conversation: entry.conversation }),
      conversation: entry.conversation,
      seq: entry.seq,
      expiresMs: entry.expiresMs,
    },
  );
}

/** Shows one, by the service worker where there is one (phones know no other way). */
export async function show(title: string, body: string, tag: string, about: About): Promise<void> {
  const options: NotificationOptions = { body, tag, icon: '/icon-192.png', data: about };
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker?.active) {
    await worker.showNotification(title, options);
    return;
  }
  const notification = new Notification(title, options);
  own.set(tag, notification);
  notification.onclick = () => {
    window.focus();
    go(parse(about.path));
    close(notification);
  };
}
