// The service worker: keeps the app's files so that it opens without network, and brings a tap on a notification
// to its conversation. One build's files are one cache: a page never mixes two builds. A new build waits until the
// person says "reload" (or all tabs are closed). Nothing of /v1 passes through here.

const worker = self as unknown as ServiceWorkerGlobalScope;

const VERSION = '__VERSION__';
const FILES: string[] = ['__FILES__'];
const PREFIX = 'parley-shell-';
const CACHE = PREFIX + VERSION;

worker.addEventListener('install', (event) => {
  event.waitUntil(keepFiles());
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(dropOtherBuilds());
});

worker.addEventListener('message', (event) => {
  if ((event.data as { type?: unknown } | null)?.type === 'activate') void worker.skipWaiting();
});

worker.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== worker.location.origin) return;
  if (event.request.mode === 'navigate') {
    if (isPage(url.pathname)) event.respondWith(kept('/', event.request));
  } else if (FILES.includes(url.pathname)) {
    event.respondWith(kept(url.pathname, event.request));
  }
});

worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const path = (event.notification.data as { path?: unknown } | null)?.path;
  event.waitUntil(show(typeof path === 'string' && path.startsWith('/') ? path : '/'));
});

async function keepFiles(): Promise<void> {
  const cache = await caches.open(CACHE);
  // Hashed names can come from the browser's cache, the others must be this build's.
  const requests = FILES.map(
    (file) => new Request(file, { cache: file.startsWith('/assets/') ? 'default' : 'reload' }),
  );
  await cache.addAll(requests);
}

async function dropOtherBuilds(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** The routes of the app are all one page; the API and the operators' addresses are not. */
function isPage(path: string): boolean {
  return !/^\/(v1\/|livez|readyz|metrics)/.test(path);
}

async function kept(file: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(file)) ?? fetch(request);
}

/** Brings a window of the app to the front and to `path`; the page routes without loading anew. */
async function show(path: string): Promise<void> {
  const windows = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const open = windows[0];
  if (open === undefined) {
    await worker.clients.openWindow(path);
    return;
  }
  open.postMessage({ type: 'open', path });
  await open.focus();
}
