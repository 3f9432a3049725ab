/**
 * The package as it is published, installed into an empty project: every entry
 * point loads, has its types, and the examples build. What the package needs
 * comes from this workspace, so that no registry is asked.
 */

import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const sdk = fileURLToPath(new URL('../', import.meta.url));
const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'parley-package-'));

/** What the package depends on, and what the examples need besides. */
const NEEDED = ['idb', 'ws', '@types/ws', '@types/node', 'undici-types'];

/** One thing of each entry point. */
const ENTRIES = {
  '.': 'Client',
  './cache': 'openStore',
  './tabs': 'openShared',
  './text': 'fold',
  './view': 'conversationList',
};

const { exports } = JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8'));
const specifier = (entry: string) => entry.replace('.', '@parley/client');

const importing = Object.entries(ENTRIES)
  .map(([entry, name]) => `import { ${name} } from '${specifier(entry)}';`)
  .join('\n');

/** Runs a program; what is said of the npm that runs this test is not for the one inside. */
async function sh(cwd: string, program: string, ...args: string[]): Promise<string> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'));
  const env = { ...Object.fromEntries(own), npm_config_update_notifier: 'false' };
  const { stdout } = await run(program, args, { cwd, env }).catch((error) => {
    throw new Error(`${program} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`);
  });
  return stdout;
}

beforeAll(async () => {
  await sh(sdk, 'npm', 'run', '--silent', 'build');
  const folders = [join(sdk, 'dist'), ...NEEDED.map((name) => join(modules, name))];
  const packing = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project];
  const packed = (await sh(project, 'npm', ...packing, ...folders)).trim().split('\n');
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const flags = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await sh(project, 'npm', 'install', ...flags, ...packed.map((file) => `./${file}`));
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

test('there is a line for every entry point', () => {
  expect(Object.keys(ENTRIES)).toEqual(Object.keys(exports));
});

test.each(Object.entries(ENTRIES))('%s loads', async (entry, name) => {
  const program = `const it = await import('${specifier(entry)}'); console.log(typeof it.${name});`;
  const out = await sh(project, process.execPath, '--input-type=module', '--eval', program);
  expect(out).toBe('function\n');
});

test('what is loaded later is there as well', async () => {
  const later = ['errands', 'page', 'request', 'driver/webtransport'];
  const files = later.map((name) => `./node_modules/@parley/client/${name}.js`);
  const program = `for (const file of ${JSON.stringify(files)}) await import(file);`;
  writeFileSync(join(project, 'later.js'), program);
  await sh(project, process.execPath, 'later.js');
});

test('types are complete, and the examples build', async () => {
  const names = Object.values(ENTRIES).join(', ');
  writeFileSync(join(project, 'all.ts'), `${importing}\nconsole.log(${names});\n`);
  for (const name of readdirSync(join(sdk, 'examples'))) {
    copyFileSync(join(sdk, 'examples', name), join(project, name));
  }
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node'],
    strict: true,
    noEmit: true,
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.ts'] }),
  );
  await sh(project, process.execPath, join(modules, 'typescript/bin/tsc'), '-p', '.');
});
