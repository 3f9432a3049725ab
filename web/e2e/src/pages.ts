/** The pages of `e2e/pages`, for what is tested without the web client around it. */
import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll } from 'vitest';

export interface Pages {
  /** Where they are, from `beforeAll` on. */
  readonly origin: string;
}

/** Serves them while the tests of a file run. */
export function servePages(): Pages {
  const pages = { origin: '' };
  let vite: ViteDevServer | undefined;
  beforeAll(async () => {
    vite = await createServer({
      root: join(import.meta.dirname, '../pages'),
      configFile: false,
      logLevel: 'error',
      plugins: [svelte({ configFile: false, compilerOptions: { runes: true } })],
      server: {
        host: '127.0.0.1',
        port: 0,
        hmr: false,
        fs: { allow: [join(import.meta.dirname, '../..')] },
      },
    });
    await vite.listen();
    pages.origin = vite.resolvedUrls?.local[0]?.replace(/\/$/, '') ?? '';
  });
  afterAll(() => vite?.close());
  return pages;
}
