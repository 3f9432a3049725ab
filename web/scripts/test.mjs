// Runs the tests of every workspace, one after another, and ends with what failed and one line for all, as cargo
// does. Arguments name workspaces (sdk app e2e); none means all.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const asked = process.argv.slice(2);
const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'parley-web-test-'));
const begun = performance.now();
const sum = { passed: 0, failed: 0, ignored: 0 };
let broken = 0;
const failures = [];

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
    failures.push(...failuresOf(seen));
    // A file that can't be loaded has no tests that could fail, and none is no success.
    if (seen.numFailedTests === 0 && (ended.status !== 0 || seen.numTotalTests === 0)) {
      console.error(
        `web: ${name} ended with ${ended.status ?? ended.signal}, and no test of it failed`,
      );
      broken += 1;
    }
  } catch {
    console.error(`web: ${name} ended with ${ended.status ?? ended.signal} and without a report`);
    broken += 1;
  }
}
rmSync(folder, { recursive: true });

// Said again: pages of output may follow the place where it happened.
for (const { test, file, reasons } of failures) {
  console.log(`web: FAILED ${relative(root, file)}: ${test}`);
  for (const reason of reasons) console.log(reason.replace(/^/gm, '    '));
}
const failed = sum.failed + broken;
const seconds = ((performance.now() - begun) / 1000).toFixed(2);
console.log(
  `test result: ${failed === 0 ? 'ok' : 'FAILED'}. ${sum.passed} passed; ${failed} failed; ${sum.ignored} ignored; ` +
    `0 measured; 0 filtered out; finished in ${seconds}s`,
);
process.exitCode = failed === 0 ? 0 : 1;

/** The tests of a report that failed, and the files that could not be loaded. */
function failuresOf(report) {
  return report.testResults.flatMap(({ name: file, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (status === 'failed' && failed.length === 0)
      return [{ file, test: 'the file', reasons: [message] }];
    return failed.map((test) => ({ file, test: test.fullName, reasons: test.failureMessages }));
  });
}
