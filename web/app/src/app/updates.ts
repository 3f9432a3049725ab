// The service worker: registers it, offers a new version when one waits, and follows taps on notifications.

import { t } from '../i18n';
import { go } from '../lib/router.svelte';
import { parse } from '../lib/routes';
import { notify } from '../lib/ui/notices.svelte';

const CHECK_EVERY_MS = 60 * 60_000;

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): {
    createScriptURL(url: string): string;
  };
}

/** The worker's address, as the browser wants it where Trusted Types are enforced. */
function workerUrl(): string {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (types === undefined) return '/sw.js';
  policy ??= types.createPolicy('parley-sw', {
    createScriptURL: (url) => {
      if (url !== '/sw.js') throw new TypeError('not the service worker');
      return url;
    },
  });
  return policy.createScriptURL('/sw.js');
}

let policy: ReturnType<TrustedTypes['createPolicy']> | undefined;

/** Starts; returns how to stop. */
export function watchForUpdates(): () => void {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (container === undefined || import.meta.env.DEV) return () => undefined;
  let registration: ServiceWorkerRegistration | undefined;
  let asked = false;
  const check = () => void registration?.update().catch(() => undefined);
  const timer = setInterval(check, CHECK_EVERY_MS);

  const offer = (waiting: ServiceWorker) => {
    notify(t('update.ready'), {
      stays: true,
      action: {
        label: t('update.reload'),
        run: () => {
          asked = true;
          waiting.postMessage({ type: 'activate' });
        },
      },
    });
  };
  const found = () => {
    const worker = registration?.installing;
    worker?.addEventListener('statechange', () => {
      // Without a controller it is the first one: nothing to update.
      if (worker.state === 'installed' && container.controller !== null) offer(worker);
    });
  };
  const taken = () => {
    if (asked) location.reload();
  };
  const told = (event: MessageEvent) => {
    const data = event.data as { type?: unknown; path?: unknown } | null;
    if (data?.type === 'open' && typeof data.path === 'string') go(parse(data.path));
  };

  container.addEventListener('controllerchange', taken);
  container.addEventListener('message', told);
  addEventListener('online', check);
  container
    .register(workerUrl())
    .then((made) => {
      registration = made;
      if (made.waiting !== null && container.controller !== null) offer(made.waiting);
      made.addEventListener('updatefound', found);
    })
    .catch(() => {
      // Storage is forbidden or full: the app works, only not offline.
    });

  return () => {
    clearInterval(timer);
    container.removeEventListener('controllerchange', taken);
    container.removeEventListener('message', told);
    removeEventListener('online', check);
    registration?.removeEventListener('updatefound', found);
  };
}
