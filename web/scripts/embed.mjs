// Puts the built web client where the server's build takes it from (cli/web), each file also compressed where that
// makes it smaller. The server picks the form that a browser takes; nothing is compressed at run time.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const from = join(import.meta.dirname, '../app/dist');
const to = join(import.meta.dirname, '../../cli/web');

/** What is compressed already. */
const PACKED = /\.(png|jpe?g|webp|woff2)$/;

for (const name of readdirSync(to)) {
  if (name !== '.gitignore') rmSync(join(to, name), { recursive: true });
}

let plain = 0;
let packed = 0;
const names = readdirSync(from, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
  .map((entry) => join(entry.parentPath, entry.name).slice(from.length + 1));
for (const name of names) {
  const bytes = readFileSync(join(from, name));
  const write = (ending, content) => {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    writeFileSync(join(to, name + ending), content);
  };
  write('', bytes);
  const forms = PACKED.test(name)
    ? []
    : [
        [
          '.br',
          brotliCompressSync(bytes, {
            params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
          }),
        ],
        ['.gz', gzipSync(bytes, { level: 9 })],
      ].filter(([, form]) => form.length < bytes.length);
  for (const [ending, form] of forms) write(ending, form);
  plain += bytes.length;
  packed += forms[0]?.[1].length ?? bytes.length;
}
const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
console.log(
  `web: ${names.length} files, ${kib(plain)}, ${kib(packed)} as sent, are ready for the server's build`,
);
