/**
 * Several tabs of one account in real Chromium against the real server: one
 * connection, nothing lost or doubled when tabs and servers die, nothing left
 * after signing out.
 */
import type { BrowserContext, Page } from 'playwright-core';
import { beforeEach, expect, test, vi } from 'vitest';
import type {} from '../pages/shared.ts';
import type { Device } from '../src/browser.ts';
import { servePages } from '../src/pages.ts';
import { setStage } from '../src/stage.ts';

const pages = servePages();
const stage = setStage(() => ({ set: { 'websocket.origins': pages.origin } }));

let device: Device;
let people = 0;

beforeEach(async () => {
  device = await stage.blankDevice({}, pages.origin);
});

interface Person {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

function signUp(): Promise<Person> {
  people += 1;
  return account('accounts', `person-${people}`);
}

const signIn = ({ name }: Person): Promise<Person> => account('login', name);

async function account(path: string, name: string): Promise<Person> {
  const response = await fetch(`${stage.server.http}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name,
      password: 'correct horse',
      device: { name: 'browser', platform: 'web' },
    }),
  });
  const { user_id, token } = (await response.json()) as { user_id: string; token: string };
  return { id: user_id, name, token };
}

/** Sessions that the person's only device has open. */
async function sessions({ token }: Person): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${stage.server.http}/v1/devices`, { headers });
  const { devices } = (await response.json()) as { devices: { sessions: number }[] };
  return devices.reduce((sum, each) => sum + each.sessions, 0);
}

async function blankTab(context = device.context): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${pages.origin}/shared.html`);
  await page.waitForFunction(() => 'tab' in window);
  return page;
}

const openIn = (page: Page, who: Person, yieldAfterMs = 60_000): Promise<void> =>
  page.evaluate(([id, url, token, ms]) => window.tab.open(id, url, token, ms), [
    who.id,
    stage.server.http,
    who.token,
    yieldAfterMs,
  ] as const);

async function openTab(who: Person, yieldAfterMs = 60_000, context?: BrowserContext) {
  const page = await blankTab(context);
  await openIn(page, who, yieldAfterMs);
  return page;
}

const until = <T>(what: () => Promise<T>): Promise<T> =>
  vi.waitFor(what, { timeout: 60_000, interval: 50 });

const ready = (page: Page) =>
  page.waitForFunction(() => window.tab.client.state.type === 'ready', undefined, {
    timeout: 60_000,
  });

const leads = (page: Page): Promise<boolean> => page.evaluate(() => window.tab.client.leads);

/** Sends to somebody and gives the conversation. */
const send = (page: Page, to: string, text: string) =>
  page.evaluate(
    async ([user, words]) => {
      const { client } = window.tab;
      const sent = await client.submit({ type: 'user', user }, { type: 'text', text: words });
      return (await client.committed(sent.localId)).conversation;
    },
    [to, text] as const,
  );

/** All texts of a conversation, in order of the log, as the server has them. */
const texts = (page: Page, conversation: string): Promise<string[]> =>
  page.evaluate(async (id) => {
    const all: string[] = [];
    for (let after = 0; ; ) {
      const range = { type: 'after', seq: after } as const;
      const read = await window.tab.client.history(id, range, { cache: 'never' });
      for (const entry of read.entries) if (entry.type === 'message') all.push(entry.text);
      if (read.atEnd || read.entries.length === 0) return all;
      after = read.entries.at(-1)?.seq ?? after;
    }
  }, conversation);

async function twoTabs(who: Person, yieldAfterMs = 60_000): Promise<[Page, Page]> {
  const first = await openTab(who, yieldAfterMs);
  await ready(first);
  const second = await openTab(who, yieldAfterMs);
  await ready(second);
  expect([await leads(first), await leads(second)]).toEqual([true, false]);
  return [first, second];
}

test('tabs share one connection, and see the same', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann);
  expect(await sessions(ann)).toBe(1);
  const place = await send(second, ben.id, 'from the second');
  await send(first, ben.id, 'from the first');
  for (const page of [first, second]) {
    await page.evaluate((id) => window.tab.read(id), place);
    await until(async () => {
      const rows = await page.evaluate(() => window.tab.rows());
      expect(rows).toEqual(['day', 'from the second sent', 'from the first sent']);
    });
  }
  await send(first, ben.id, 'once more');
  for (const page of [first, second]) {
    await until(async () =>
      expect((await page.evaluate(() => window.tab.rows())).at(-1)).toBe('once more sent'),
    );
    const keys = await page.evaluate(() => window.tab.keys());
    expect(new Set(keys).size).toBe(keys.length);
  }
});

test('when the leading tab dies, what is on its way arrives once and in order', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann);
  const place = await send(second, ben.id, 'start');
  await second.evaluate((id) => window.tab.read(id), place);
  const sending = second.evaluate(async (conversation) => {
    const { client } = window.tab;
    const sent: Promise<{ seq: number }>[] = [];
    for (let i = 1; i <= 200; i += 1) {
      const to = { type: 'conversation', conversation } as const;
      const { localId } = await client.submit(to, { type: 'text', text: `n${i}` });
      sent.push(client.committed(localId));
    }
    return (await Promise.all(sent)).map(({ seq }) => seq);
  }, place);
  // In the midst of it.
  await second.waitForFunction(() => window.tab.rows().length > 40);
  await first.close({ runBeforeUnload: false });
  const seqs = await sending;
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  expect(await leads(second)).toBe(true);
  const expected = ['start', ...Array.from({ length: 200 }, (_, i) => `n${i + 1}`)];
  expect(await texts(second, place)).toEqual(expected);
  await until(async () => {
    const rows = await second.evaluate(() => window.tab.rows());
    const own = rows.filter((row) => row !== 'day');
    expect(own.slice(-200)).toEqual(expected.slice(1).map((text) => `${text} sent`));
  });
  expect(await sessions(ann)).toBe(1);
});

test('what is in the outbox survives reloads and the death of the server, and is sent once', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann);
  const place = await send(first, ben.id, 'before');
  // The device has it, and not the server alone.
  await until(async () => {
    const page = await first.evaluate(
      (id) => window.tab.client.history(id, { type: 'latest' }, { cache: 'only' }),
      place,
    );
    expect(page.entries.length).toBe(1);
  });
  await stage.server.kill();
  const queue = (page: Page, text: string) =>
    page.evaluate(
      ([conversation, words]) =>
        window.tab.client
          .submit({ type: 'conversation', conversation }, { type: 'text', text: words })
          .then(({ localId }) => localId),
      [place, text] as const,
    );
  const ids = [await queue(first, 'one'), await queue(second, 'two'), await queue(first, 'three')];
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  await first.reload();
  await second.reload();
  for (const page of [first, second]) {
    await page.waitForFunction(() => 'tab' in window);
    await page.evaluate(([id, url, token]) => window.tab.open(id, url, token), [
      ann.id,
      stage.server.http,
      ann.token,
    ] as const);
    // Cached: shown while the server is away.
    await page.evaluate((id) => window.tab.read(id), place);
    await until(async () => {
      const rows = await page.evaluate(() => window.tab.rows());
      expect(rows.map((row) => row.split(' ')[0])).toEqual([
        'day',
        'before',
        'one',
        'two',
        'three',
      ]);
    });
  }
  await stage.server.restart();
  await ready(first);
  await until(async () => {
    expect(await texts(first, place)).toEqual(['before', 'one', 'two', 'three']);
    const left = await second.evaluate(() => window.tab.client.outbox());
    expect(left).toEqual([]);
  });
  for (const page of [first, second]) {
    await until(async () => {
      const rows = await page.evaluate(() => window.tab.rows());
      expect(rows).toEqual(['day', 'before sent', 'one sent', 'two sent', 'three sent']);
    });
  }
});

test('a user is there while any tab is in front of them', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann);
  const other = await stage.blankDevice({}, pages.origin);
  const watcher = await openTab(ben, 60_000, other.context);
  await ready(watcher);
  const online = () =>
    watcher.evaluate(
      async (id) => (await window.tab.client.presence([id]))[0]?.online ?? false,
      ann.id,
    );
  const hide = (page: Page, hidden: boolean) => page.evaluate((it) => window.tab.hide(it), hidden);
  await until(async () => expect(await online()).toBe(true));
  await hide(first, true);
  await hide(second, true);
  await until(async () => expect(await online()).toBe(false));
  await hide(second, false);
  await until(async () => expect(await online()).toBe(true));
  // A tab that is gone is in front of nobody.
  await second.close();
  await until(async () => expect(await online()).toBe(false));
});

test('a hidden tab hands the connection to one that is looked at', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann, 0);
  const place = await send(second, ben.id, 'before');
  await first.evaluate(() => window.tab.hide(true));
  await second.evaluate(() => window.tab.hide(false));
  await until(async () => expect(await leads(second)).toBe(true));
  expect(await leads(first)).toBe(false);
  await send(first, ben.id, 'after');
  expect(await texts(second, place)).toEqual(['before', 'after']);
  await until(async () => expect(await sessions(ann)).toBe(1));
});

test('a revoked session ends every tab, and signing in again begins anew in any of them', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann);
  const place = await send(second, ben.id, 'before');
  const headers = { authorization: `Bearer ${ann.token}` };
  const answer = await fetch(`${stage.server.http}/v1/logout`, { method: 'POST', headers });
  expect(answer.status).toBe(204);
  for (const page of [first, second]) {
    await page.waitForFunction(() => window.tab.client.state.type === 'closed');
    const { state } = await page.evaluate(() => ({ state: window.tab.client.state }));
    expect(state).toMatchObject({ type: 'closed', error: { kind: 'signIn' } });
  }
  const again = await signIn(ann);
  await openIn(second, again);
  await ready(second);
  expect(await leads(second)).toBe(true);
  await send(second, ben.id, 'after');
  expect(await texts(second, place)).toEqual(['before', 'after']);
  await openIn(first, again);
  await ready(first);
  expect(await leads(first)).toBe(false);
});

test('signing out ends every tab and leaves nothing', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const [first, second] = await twoTabs(ann);
  await send(first, ben.id, 'a secret');
  await second.evaluate(() => window.tab.client.forget());
  for (const page of [first, second]) {
    await page.waitForFunction(() => window.tab.client.state.type === 'closed');
    const refused = page.evaluate(() => window.tab.client.outbox());
    await expect(refused).rejects.toThrow(/closed/);
  }
  const left = await first.evaluate(async (account) => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`parley-${account}`);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    let rows = 0;
    for (const name of database.objectStoreNames) {
      rows += await new Promise<number>((resolve) => {
        const request = database.transaction(name).objectStore(name).count();
        request.onsuccess = () => resolve(request.result);
      });
    }
    database.close();
    return rows;
  }, ann.id);
  expect(left).toBe(0);
});

test('without a usable database it works in memory, and leaves the database alone', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const page = await blankTab();
  await page.evaluate(
    (account) =>
      new Promise<void>((resolve) => {
        const request = indexedDB.open(`parley-${account}`, 99);
        request.onsuccess = () => {
          request.result.close();
          resolve();
        };
      }),
    ann.id,
  );
  await page.evaluate(([id, url, token]) => window.tab.open(id, url, token), [
    ann.id,
    stage.server.http,
    ann.token,
  ] as const);
  await ready(page);
  const place = await send(page, ben.id, 'in memory');
  expect(await texts(page, place)).toEqual(['in memory']);
  expect(await page.evaluate(() => window.tab.storeError)).toMatch(/newer version/);
});

test('with the quota used up, history goes and sends stay', async () => {
  const [ann, ben] = [await signUp(), await signUp()];
  const page = await blankTab();
  // Before the database is opened: the browser looks at it now and then only.
  const session = await device.context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', {
    origin: pages.origin,
    quotaSize: 400_000,
  });
  await openIn(page, ann);
  await ready(page);
  const place = await send(page, ben.id, 'start');
  // More than fits: ten messages of 60 kB of what can't be compressed.
  for (let i = 0; i < 10; i += 1) {
    await page.evaluate(
      async ([conversation, n]) => {
        const bytes = crypto.getRandomValues(new Uint8Array(30_000));
        const noise = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
        const { client } = window.tab;
        const to = { type: 'conversation', conversation } as const;
        const sent = await client.submit(to, { type: 'text', text: `${n} ${noise}` });
        await client.committed(sent.localId);
      },
      [place, i] as const,
    );
  }
  const all = (await texts(page, place)).map((text) => text.split(' ')[0]);
  expect(all).toEqual(['start', ...Array.from({ length: 10 }, (_, i) => `${i}`)]);
  const cached = await page.evaluate(
    (id) => window.tab.client.history(id, { type: 'latest' }, { cache: 'only' }),
    place,
  );
  expect(cached.entries.length).toBeLessThan(11);
  await session.send('Storage.overrideQuotaForOrigin', { origin: pages.origin });
  expect(await page.evaluate(() => window.tab.client.outbox())).toEqual([]);
});
