// Makes dist/ a package of its own: what is published, plain JavaScript and types.
import { readFileSync, writeFileSync } from 'node:fs';

const {
  scripts: _,
  devDependencies: __,
  private: ___,
  ...kept
} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const compiled = (path) => path.replace('./src/', './').replace(/\.ts$/, '');
const exports = Object.fromEntries(
  Object.entries(kept.exports).map(([name, source]) => [
    name,
    { types: `${compiled(source)}.d.ts`, default: `${compiled(source)}.js` },
  ]),
);
writeFileSync(
  new URL('../dist/package.json', import.meta.url),
  `${JSON.stringify({ ...kept, exports }, null, 2)}\n`,
);
