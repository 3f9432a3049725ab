/**
 * Notifications of the page, with the permission that a person gives: when
 * nobody looks, one for a chat, opening that chat, and no more than was chosen.
 */
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, expect, test, vi } from 'vitest';
import { DESKTOP, type Device } from '../src/browser.ts';
import { enter, line, list, log, message } from '../src/chat.ts';
import { group, type Person, say } from '../src/people.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage();
let people = 0;
let ann: Person;
let bob: Person;
/** A group of both. */
let walk: string;

beforeEach(async () => {
  people += 1;
  ann = await stage.person(`ann-${people}`);
  bob = await stage.person(`bob-${people}`);
  walk = await group('Harbour walk', bob, ann);
  await direct('Hello Ann');
});

const direct = (text: string) => say(bob, { type: 'user', user: ann.user.id }, [text]);
const toGroup = (text: string) => say(bob, { type: 'conversation', conversation: walk }, [text]);

interface Shown {
  readonly title: string;
  readonly body: string;
  readonly tag: string;
}

declare global {
  interface Window {
    /** What the page showed itself; without a service worker. */
    shown: Notification[];
    /** As the browser does when the person turns to another window, or comes back. */
    lookAway(away: boolean): void;
  }
}

/**
 * A browser of Ann's that may notify. Every page of an automated browser counts
 * as looked at; here it is said.
 */
async function notified(options?: BrowserContextOptions): Promise<Device> {
  const device = await stage.device(ann, options);
  await device.context.grantPermissions(['notifications']);
  await device.context.addInitScript(() => {
    let away = false;
    document.hasFocus = () => !away;
    Object.defineProperty(document, 'visibilityState', {
      get: () => (away ? 'hidden' : 'visible'),
    });
    window.lookAway = (now) => {
      away = now;
      document.dispatchEvent(new Event('visibilitychange'));
      window.dispatchEvent(new Event(now ? 'blur' : 'focus'));
    };
    window.shown = [];
    const Real = window.Notification;
    window.Notification = class extends Real {
      constructor(title: string, more?: NotificationOptions) {
        super(title, more);
        window.shown.push(this);
      }
    };
  });
  return device;
}

/** Turns notifications on as a person does, and looks away. */
async function turnOn(device: Device): Promise<Page> {
  const page = await device.page('/u/0/settings/notifications');
  await page.getByRole('switch', { name: 'Notifications' }).click();
  await page.getByRole('button', { name: 'Try one' }).waitFor();
  await page.goto(`${stage.server.http}/u/0`);
  await line(page, 'Harbour walk').waitFor();
  await lookAway(page);
  await until(async () => expect(await known(page)).toBe(false));
  return page;
}

const lookAway = (page: Page, away = true) => page.evaluate((it) => window.lookAway(it), away);

/** Whether tabs know of one that is looked at. */
const known = (page: Page) =>
  page.evaluate(async () =>
    ((await navigator.locks.query()).held ?? []).some(({ name }) =>
      name?.startsWith('parley-looked-at'),
    ),
  );

const shown = (page: Page): Promise<Shown[]> =>
  page.evaluate(() => window.shown.map(({ title, body, tag }) => ({ title, body, tag })));

const until = <T>(what: () => Promise<T>): Promise<T> =>
  vi.waitFor(what, { timeout: 60_000, interval: 50 });

test('nothing is shown before it was turned on, nor while somebody looks', async () => {
  const device = await notified();
  const page = await device.page('/u/0');
  await line(page, 'Harbour walk').waitFor();
  await lookAway(page);
  await direct('unasked');
  await line(page, 'unasked').waitFor();
  expect(await shown(page)).toEqual([]);

  await page.goto(`${stage.server.http}/u/0/settings/notifications`);
  const on = page.getByRole('switch', { name: 'Notifications' });
  expect(await on.isChecked()).toBe(false);
  await on.click();
  await page.getByRole('button', { name: 'Try one' }).click();
  await until(async () =>
    expect(await shown(page)).toMatchObject([{ body: 'This is how it looks.' }]),
  );
  await page.goto(`${stage.server.http}/u/0`);
  await line(page, 'Harbour walk').waitFor();
  await direct('looked at');
  await line(page, 'looked at').waitFor();
  await lookAway(page);
  await until(async () => expect(await known(page)).toBe(false));
  await direct('not looked at');
  await until(async () => expect(await shown(page)).toMatchObject([{ body: 'not looked at' }]));
});

test('it says who wrote what and where, and a click opens that chat', async () => {
  const page = await turnOn(await notified());
  await direct('for you');
  await toGroup('for all');
  await until(async () => expect((await shown(page)).length).toBe(2));
  const [one, two] = (await shown(page)).sort((a, b) => a.title.length - b.title.length);
  expect(one).toMatchObject({ title: bob.name, body: 'for you' });
  expect(two).toMatchObject({ title: `${bob.name} · Harbour walk`, body: 'for all' });
  expect(two?.tag).toBe(`0:${walk}`);
  await page.evaluate((tag) => {
    window.shown.find((each) => each.tag === tag)?.dispatchEvent(new Event('click'));
  }, `0:${walk}`);
  await message(page, 'for all').waitFor();
  expect(new URL(page.url()).pathname).toBe(`/u/0/c/${walk}`);
});

test('without previews it says neither who nor what', async () => {
  const device = await notified();
  const settings = await device.page('/u/0/settings/notifications');
  await settings.getByRole('switch', { name: 'Notifications' }).click();
  await settings.getByRole('switch', { name: 'Show who wrote what' }).click();
  await settings.goto(`${stage.server.http}/u/0`);
  await line(settings, 'Harbour walk').waitFor();
  await lookAway(settings);
  await until(async () => expect(await known(settings)).toBe(false));
  await toGroup('a secret');
  await until(async () => expect((await shown(settings)).length).toBe(1));
  const [one] = await shown(settings);
  expect(one).toMatchObject({ title: 'Parley', body: 'You have a new message.' });
});

test('a muted chat is silent, and one for mentions only tells of mentions', async () => {
  const client = await ann.script();
  const lines = await client.conversations();
  const talk = lines.find((each) => each.kind === 'direct')?.id ?? '';
  await client.setPreferences(talk, { mutedUntilMs: Number.POSITIVE_INFINITY });
  await client.setPreferences(walk, { level: 'mentions' });
  const page = await turnOn(await notified());
  await list(page).getByLabel('Muted').waitFor();
  await direct('muted');
  await toGroup('no mention');
  const to = { type: 'conversation', conversation: walk } as const;
  const theirs = await bob.script();
  const { localId } = await theirs.submit(to, {
    type: 'text',
    text: '@ann look',
    mentions: [{ start: 0, length: 4, who: { type: 'user', user: ann.user.id } }],
  });
  await theirs.committed(localId);
  await until(async () => expect(await shown(page)).toMatchObject([{ body: '@ann look' }]));
  // Loud again, at once.
  await client.setPreferences(talk, { mutedUntilMs: 0 });
  await list(page).getByLabel('Muted').waitFor({ state: 'detached' });
  await direct('loud');
  await until(async () =>
    expect((await shown(page)).map(({ body }) => body)).toEqual(['@ann look', 'loud']),
  );
});

test('what was read elsewhere, own messages and requests are not told', async () => {
  await (await ann.script()).changeSettings({ messages: 'contacts' });
  await (await ann.script()).addContact(bob.user.id);
  const stranger = await stage.person(`cid-${people}`);
  const page = await turnOn(await notified());
  await say(stranger, { type: 'user', user: ann.user.id }, ['from a stranger']);
  await line(page, 'from a stranger').waitFor();
  await say(ann, { type: 'conversation', conversation: walk }, ['my own']);
  await line(page, 'my own').waitFor();
  await direct('from Bob');
  await until(async () => expect(await shown(page)).toMatchObject([{ body: 'from Bob' }]));
});

test('a tab in the background is silent while another one is looked at', async () => {
  const device = await notified();
  const hidden = await turnOn(device);
  const looked = await device.page('/u/0');
  await enter(looked, 'Harbour walk');
  await until(async () => expect(await known(hidden)).toBe(true));
  await toGroup('seen already');
  await message(looked, 'seen already').waitFor();
  await line(hidden, 'seen already').waitFor();
  await lookAway(looked);
  await until(async () => expect(await known(hidden)).toBe(false));
  await direct('nobody looks');
  await until(async () => {
    const all = [...(await shown(hidden)), ...(await shown(looked))];
    expect(new Set(all.map(({ body }) => body))).toEqual(new Set(['nobody looks']));
  });
});

/** A browser of Ann's in which the service worker shows them. */
async function withWorker(): Promise<{ device: Device; app: Page }> {
  const device = await notified({ ...DESKTOP, serviceWorkers: 'allow' });
  const page = await device.page('/u/0');
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await page.close();
  return { device, app: await turnOn(device) };
}

/** What the service worker shows. */
const keptIn = (app: Page) =>
  app.evaluate(async () => {
    const worker = await navigator.serviceWorker.ready;
    return (await worker.getNotifications()).map(({ title, body }) => ({ title, body }));
  });

test('a session that is ended elsewhere takes its notifications along', async () => {
  const { app } = await withWorker();
  await toGroup('one');
  await until(async () => expect(await keptIn(app)).toMatchObject([{ body: 'one' }]));
  const other = await stage.device(ann);
  await other.context.request.delete(`${stage.server.http}/v1/devices`, {
    headers: { 'Parley-Account': '0' },
  });
  await app.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await until(async () => expect(await keptIn(app)).toEqual([]));
});

test('through the service worker a chat has one, and a tap brings the app to it', async () => {
  const { device, app } = await withWorker();
  const kept = () => keptIn(app);
  await toGroup('one');
  await toGroup('two');
  await until(async () => expect(await kept()).toMatchObject([{ body: 'two' }]));
  expect(await shown(app)).toEqual([]);

  const [worker] = device.context.serviceWorkers();
  await worker?.evaluate(async () => {
    const scope = self as unknown as {
      registration: ServiceWorkerRegistration;
      dispatchEvent(event: Event): boolean;
      NotificationEvent: new (type: string, init: object) => Event;
    };
    const [notification] = await scope.registration.getNotifications();
    const tap = new scope.NotificationEvent('notificationclick', { notification });
    // Only the browser's own events can be waited for, or bring a window to the front.
    const ended: Promise<unknown>[] = [];
    Object.defineProperty(tap, 'waitUntil', { value: (one: Promise<unknown>) => ended.push(one) });
    scope.dispatchEvent(tap);
    await Promise.allSettled(ended);
  });
  await message(app, 'two').waitFor();
  expect(new URL(app.url()).pathname).toBe(`/u/0/c/${walk}`);
  expect(await log(app).count()).toBe(1);
  expect(await kept()).toEqual([]);
});
