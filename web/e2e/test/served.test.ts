/**
 * The page as the binary serves it: what its policy lets through, what other
 * sites get, and WebTransport, in real Chromium. The web client's own screens
 * are other files' business.
 */
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device } from '../src/browser.ts';
import { setStage } from '../src/stage.ts';

const stage = setStage({ set: { 'webtransport.enabled': 'true' } });

/** A page of somebody else. */
let foreign: HttpServer;
let foreignPort = 0;

beforeAll(async () => {
  foreign = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>foreign</title>');
  });
  await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve));
  foreignPort = (foreign.address() as AddressInfo).port;
});

afterAll(() => foreign?.close());

/** What was kept from loading or running on the page since it was opened. */
async function violations(page: Page): Promise<string[]> {
  return page.evaluate(() => (globalThis as unknown as { violated: string[] }).violated);
}

async function watched(device: Device): Promise<Page> {
  await device.context.addInitScript(() => {
    const violated: string[] = [];
    Object.assign(globalThis, { violated });
    document.addEventListener('securitypolicyviolation', (event) =>
      violated.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`),
    );
  });
  return device.page('/');
}

async function signUp(page: Page, name: string, slot = '0'): Promise<number> {
  return page.evaluate(
    async ([name, slot]) => {
      const answer = await fetch('/v1/accounts', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'parley-account': slot },
        body: JSON.stringify({
          name,
          password: 'long enough',
          device: { name: 'browser' },
          session: 'cookie',
        }),
      });
      return answer.status;
    },
    [name, slot] as const,
  );
}

test('the page breaks none of its own policy, and its worker is registered', async () => {
  const device = await stage.blankDevice({ serviceWorkers: 'allow' });
  const page = await watched(device);
  await page.waitForFunction(() => (document.querySelector('#app')?.childElementCount ?? 0) > 0);
  await page.waitForFunction(() => navigator.serviceWorker.ready.then(() => true));
  expect(await violations(page)).toEqual([]);
  // Opened again it comes out of the worker's store, with the same policy.
  await page.reload();
  await page.waitForFunction(() => (document.querySelector('#app')?.childElementCount ?? 0) > 0);
  expect(await violations(page)).toEqual([]);
});

test('markup and code that get into the page are not run', async () => {
  const device = await stage.blankDevice();
  const page = await watched(device);
  const tried = await page.evaluate(async () => {
    const refused = (act: () => unknown) => {
      try {
        act();
        return false;
      } catch {
        return true;
      }
    };
    const element = document.createElement('div');
    document.body.append(element);
    const script = document.createElement('script');
    const results = {
      innerHTML: refused(() => {
        element.innerHTML = '<img src=x onerror="globalThis.ran = true">';
      }),
      // Not here: what the test itself evaluates is exempt, what runs later is not.
      eval: await new Promise((resolve) => {
        setTimeout(() => resolve(refused(() => new Function('globalThis.ran = true')())));
      }),
      scriptText: refused(() => {
        script.textContent = 'globalThis.ran = true';
        document.body.append(script);
        if (!('ran' in globalThis)) throw new Error('not run');
      }),
      policy: refused(() => {
        const types = (
          globalThis as unknown as { trustedTypes: { createPolicy(n: string, r: object): void } }
        ).trustedTypes;
        types.createPolicy('evil', { createHTML: (text: string) => text });
      }),
      elsewhere: await fetch('https://127.0.0.1:1/').then(
        () => false,
        () => true,
      ),
    };
    const image = new Image();
    image.src = 'http://127.0.0.1:1/x.png';
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { ...results, ran: 'ran' in globalThis };
  });
  expect(tried).toEqual({
    innerHTML: true,
    eval: true,
    scriptText: true,
    policy: true,
    elsewhere: true,
    ran: false,
  });
  const seen = (await violations(page)).join('\n');
  for (const directive of ['require-trusted-types-for', 'connect-src', 'img-src', 'trusted-types'])
    expect(seen).toContain(directive);
  device.expectComplaints(/^console: .*(Content Security Policy|TrustedScript|Trusted)/);
});

test('a sign-in outlives a reload and no script can read it', async () => {
  const device = await stage.blankDevice();
  const page = await watched(device);
  expect(await signUp(page, 'ann')).toBe(201);
  expect(await signUp(page, 'ben', '1')).toBe(201);
  expect(await page.evaluate(() => document.cookie)).toBe('');
  await page.reload();
  const signedIn = await page.evaluate(async () => (await fetch('/v1/sign-ins')).json());
  const names = signedIn.sign_ins.map((one: { slot: number; name: string }) => [
    one.slot,
    one.name,
  ]);
  expect(names).toEqual([
    [0, 'ann'],
    [1, 'ben'],
  ]);
  const stored = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
  );
  expect(stored).not.toMatch(/[0-9a-f]{64}/);
});

test('pages of other sites and of other ports get nothing', async () => {
  const device = await stage.blankDevice();
  const own = await device.page('/');
  expect(await signUp(own, 'cleo')).toBe(201);
  // The same site on another port, and another site.
  for (const site of [`http://127.0.0.1:${foreignPort}`, `http://localhost:${foreignPort}`]) {
    const page = await device.context.newPage();
    await page.goto(site);
    const got = await page.evaluate(async (target) => {
      const ask = (path: string, options: RequestInit) =>
        fetch(target + path, { credentials: 'include', ...options }).then(
          (answer) => `answered ${answer.status}`,
          () => 'refused',
        );
      const account = { 'parley-account': '0' };
      const socket = await new Promise((resolve) => {
        const opening = new WebSocket(`${target.replace('http', 'ws')}/v1/ws`, 'parley.v1');
        opening.onopen = () => resolve('opened');
        opening.onerror = () => resolve('refused');
      });
      return {
        account: await ask('/v1/account', { headers: account }),
        ticket: await ask('/v1/ticket', { method: 'POST', headers: account }),
        signIns: await ask('/v1/sign-ins', {}),
        logout: await ask('/v1/logout', { method: 'POST', headers: account }),
        socket,
      };
    }, stage.server.http);
    expect(got).toEqual({
      account: 'refused',
      ticket: 'refused',
      signIns: 'refused',
      logout: 'refused',
      socket: 'refused',
    });
    // What goes without asking first is sent, and refused by the server.
    const blind = page.waitForResponse((answer) => answer.url().endsWith('/v1/logout'));
    await page.evaluate((target) => {
      void fetch(`${target}/v1/logout`, {
        method: 'POST',
        mode: 'no-cors',
        credentials: 'include',
      });
    }, stage.server.http);
    expect((await blind).status()).toBe(401);
    // No frame shows it.
    const framed = await page.evaluate(async (target) => {
      const frame = document.createElement('iframe');
      const loaded = new Promise((resolve) => {
        frame.onload = resolve;
      });
      frame.src = target;
      document.body.append(frame);
      await loaded;
      return frame.contentDocument === null;
    }, stage.server.http);
    expect(framed).toBe(true);
    const frames = page.frames().slice(1);
    for (const frame of frames) expect(await frame.$('#app')).toBeNull();
    await page.close();
  }
  const still = await own.evaluate(async () => (await fetch('/v1/sign-ins')).json());
  expect(still.sign_ins.map((one: { name: string }) => one.name)).toEqual(['cleo']);
  device.expectComplaints(/^console:/);
});

test('a session opens over WebTransport with the hash of the certificate', async () => {
  const device = await stage.blankDevice();
  const page = await watched(device);
  expect(await signUp(page, 'dora')).toBe(201);
  const seen = await page.evaluate(async () => {
    const headers = { 'parley-account': '0' };
    const { ticket } = await (await fetch('/v1/ticket', { method: 'POST', headers })).json();
    const { nodes } = await (await fetch('/v1/discovery')).json();
    const { url, certificate_sha256: hash } = nodes[0].wt;
    const value = Uint8Array.from(atob(hash), (character) => character.charCodeAt(0));
    const transport = new WebTransport(`${url}?ticket=${ticket}`, {
      serverCertificateHashes: [{ algorithm: 'sha-256', value }],
    });
    await transport.ready;
    const stream = await transport.createBidirectionalStream();
    // Request 1: Hello, versions 1 to 1, no token. One frame, its length first.
    const hello = [0x08, 0x01, 0x12, 0x04, 0x08, 0x01, 0x10, 0x01];
    const writer = stream.writable.getWriter();
    await writer.write(new Uint8Array([hello.length, ...hello]));
    const reader = stream.readable.getReader();
    let text = '';
    while (!text.includes('dora')) {
      const { value: bytes, done } = await reader.read();
      if (done) break;
      text += new TextDecoder('latin1').decode(bytes);
    }
    transport.close();
    const again = new WebTransport(`${url}?ticket=${ticket}`, {
      serverCertificateHashes: [{ algorithm: 'sha-256', value }],
    });
    const reused = await again.ready.then(
      () => 'opened',
      () => 'refused',
    );
    return { welcomed: text.includes('dora'), reused };
  });
  expect(seen).toEqual({ welcomed: true, reused: 'refused' });
  expect(await violations(page)).toEqual([]);
  // The ticket that was used already.
  device.expectComplaints(/^console:/);
});
