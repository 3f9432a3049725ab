// Fails when what a page loads for a client, bundled, minified and compressed, is too big.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

/**
 * The core: `Client` on WebSocket, without the JSON API, WebTransport, cache,
 * tabs, views. The goal is 25 KiB; this keeps it from growing meanwhile.
 */
const LIMIT_BYTES = 26 * 1024;

const bundle = await rolldown({
  input: fileURLToPath(new URL('../src/client.ts', import.meta.url)),
  external: /\/(request|webtransport)\.ts$/,
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
