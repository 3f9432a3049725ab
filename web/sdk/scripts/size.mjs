// Fails when what a page loads for a client, bundled, minified and compressed, is too big.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

/**
 * The core: `Client` on WebSocket: connecting, the outbox, receiving, sync. Without what
 * it loads when it is first used (the JSON API, WebTransport, pages of history, errands)
 * or beside connecting (what makes entries of actions, what drops a copy of a store that
 * was put back), and the entries for cache, tabs and views.
 *
 * 256 bytes over a round number: noticing that the server's store is another one takes a
 * word with every page of the feed and every entry, whatever is loaded beside it.
 */
const LIMIT_BYTES = 25 * 1024 + 256;

const bundle = await rolldown({
  input: fileURLToPath(new URL('../src/client.ts', import.meta.url)),
  external: /\/(request|webtransport|errands|page|compose|reset)\.ts$/,
});
const { output } = await bundle.generate({
  format: 'esm',
  minify: true,
  comments: false,
});
let bytes = 0;
for (const chunk of output) {
  if (chunk.type === 'chunk') bytes += gzipSync(chunk.code, { level: 9 }).length;
}
const verdict = bytes <= LIMIT_BYTES ? 'within' : 'above';
console.log(`core: ${bytes} bytes gzip, ${verdict} the limit of ${LIMIT_BYTES}`);
if (bytes > LIMIT_BYTES) process.exitCode = 1;
