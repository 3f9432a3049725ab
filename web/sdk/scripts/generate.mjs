// Makes src/gen anew: the error table and, by buf with a plugin of our own, the
// protocol's messages.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import './errors.mjs';

const cwd = fileURLToPath(new URL('../', import.meta.url));
execFileSync('buf', ['generate'], { cwd, stdio: 'inherit' });
