// Runs the tests of every workspace, one after another, and ends with one line for all as cargo has it. Arguments
// name workspaces (sdk app e2e); none means all.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const asked = process.argv.slice(2);
const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'parley-web-test-'));
const begun = performance.now();
const sum = { passed: 0, failed: 0, ignored: 0 };
let broken = 0;

for (const name of asked.length > 0 ? asked : workspaces) {
  console.log(`web: testing ${name}`);
  const report = join(folder, `${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ended = spawnSync('npm', ['test', '--silent', '-w', name, '--', ...reporters], {
    cwd: root,
    stdio: 'inherit',
  });
  try {
    const seen = JSON.parse(readFileSync(report, 'utf8'));
    sum.passed += seen.numPassedTests;
    sum.failed += seen.numFailedTests;
    sum.ignored += seen.numPendingTests + seen.numTodoTests;
    // A file that can't be loaded has no tests that could fail, and none is no success.
    if (ended.status !== 0 && seen.numFailedTests === 0) broken += 1;
    if (seen.numTotalTests === 0) broken += 1;
  } catch {
    console.error(`web: ${name} ended with ${ended.status ?? ended.signal} and without a report`);
    broken += 1;
  }
}
rmSync(folder, { recursive: true });

const failed = sum.failed + broken;
const seconds = ((performance.now() - begun) / 1000).toFixed(2);
console.log(
  `test result: ${failed === 0 ? 'ok' : 'FAILED'}. ${sum.passed} passed; ${failed} failed; ${sum.ignored} ignored; ` +
    `0 measured; 0 filtered out; finished in ${seconds}s`,
);
process.exitCode = failed === 0 ? 0 : 1;
