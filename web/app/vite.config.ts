// How the web client is built: hashed names under /assets, nothing inline (the server's content security policy
// allows neither inline scripts nor data: scripts), a service worker that knows the names, and strings that are whole.

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { emojiModule } from './build/emoji.ts';
import { serviceWorker } from './build/service-worker.ts';
import { wholeStrings } from './build/strings.ts';

// The plain-HTTP address of a server, for `npm run dev`.
const server = process.env.PARLEY_HTTP ?? 'http://127.0.0.1:7480';

export default defineConfig({
  plugins: [svelte(), wholeStrings(), emojiModule(), serviceWorker()],
  build: {
    target: ['chrome123', 'firefox125', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 400,
  },
  server: {
    host: '127.0.0.1',
    // The host stays the browser's own, so that the server's check of Origin sees the same host.
    proxy: { '/v1': { target: server, ws: true, changeOrigin: false } },
  },
});
