// Makes /sw.js out of src/worker/sw.ts, with the list of the built files and a version that follows from them.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { type Plugin, transformWithOxc } from 'vite';

/** What the service worker keeps of a build: paths as the browser asks for them, and one version for all. */
export function shellFiles(folder: string): { files: string[]; version: string } {
  const hash = createHash('sha256');
  const files: string[] = [];
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name);
    const url = `/${relative(folder, path).split(sep).join('/')}`;
    if (!/\.\w+$/.test(name) || url === '/sw.js' || /\.(map|gz|br)$/.test(name)) continue;
    hash.update(url).update(readFileSync(path));
    files.push(url === '/index.html' ? '/' : url);
  }
  return { files, version: hash.digest('hex').slice(0, 16) };
}

export function serviceWorker(): Plugin {
  let folder = '';
  let source = '';
  return {
    name: 'parley-service-worker',
    apply: 'build',
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
      source = join(config.root, 'src/worker/sw.ts');
    },
    async writeBundle() {
      const { files, version } = shellFiles(folder);
      const code = readFileSync(source, 'utf8')
        .replace('__VERSION__', version)
        .replace("'__FILES__'", files.map((file) => JSON.stringify(file)).join(', '));
      const built = await transformWithOxc(code, source, { sourcemap: false });
      writeFileSync(join(folder, 'sw.js'), built.code);
    },
  };
}
