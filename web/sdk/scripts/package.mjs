// Makes dist/ a package of its own: what is published, plain JavaScript and types.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const cwd = fileURLToPath(root);
const {
  scripts: _,
  devDependencies: __,
  private: ___,
  ...kept
} = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

// What an earlier build left would be published with the rest.
rmSync(new URL('dist', root), { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd, stdio: 'inherit' });

const compiled = (path) => path.replace('./src/', './').replace(/\.ts$/, '');
const exports = Object.fromEntries(
  Object.entries(kept.exports).map(([name, source]) => [
    name,
    { types: `${compiled(source)}.d.ts`, default: `${compiled(source)}.js` },
  ]),
);
writeFileSync(
  new URL('dist/package.json', root),
  `${JSON.stringify({ ...kept, exports }, null, 2)}\n`,
);
