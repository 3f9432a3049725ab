// Writes src/gen/errors.ts from the one error table, protocol/src/errors.rs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../../../', import.meta.url);
const table = readFileSync(new URL('protocol/src/errors.rs', root), 'utf8');
const RETRY = { Now: 'retry_now', After: 'retry_after', Stop: 'stop', SignIn: 'sign_in' };

const block = /^codes! \{$([\s\S]*?)^\}$/m.exec(table)?.[1];
if (!block) throw new Error('the error table is not where it was');
const rows = [];
for (const line of block.split('\n').map((it) => it.trim())) {
  if (line === '' || line.startsWith('//')) continue;
  const row = /^(\d+) \w+ "(\w+)" (\w+) \d+ ("(?:[^"\\]|\\.)*");$/.exec(line);
  const retry = row && RETRY[row[3]];
  if (!retry) throw new Error(`not a row of the error table: ${line}`);
  rows.push({ code: row[1], name: row[2], retry, text: JSON.parse(row[4]) });
}

/** What a number without a row stands for, as in src/error.ts. */
const byNumber = (code) => (code >= 500 && code < 600 ? 'retry_after' : 'stop');

const out = `// Made by scripts/errors.mjs from the error table of the protocol; not edited by hand.

/** What a client does about an error. */
export type Retry = 'retry_now' | 'retry_after' | 'stop' | 'sign_in';

/** The stable names of all codes. */
export type CodeName =
${rows.map((row) => `  /** ${row.text} */\n  | '${row.name}'`).join('\n')};

/** One row of the error table; without a retry class it has that of its number, see \`verdict\`. */
export type CodeRow = readonly [name: CodeName, retry?: Retry];

/** The error table, by number. The server sends its texts along. */
export const CODES: Readonly<Record<number, CodeRow | undefined>> = {
${rows.map(({ code, name, retry }) => `  ${code}: ['${name}'${retry === byNumber(code) ? '' : `, '${retry}'`}],`).join('\n')}
};
`;
mkdirSync(new URL('../src/gen/', import.meta.url), { recursive: true });
writeFileSync(new URL('../src/gen/errors.ts', import.meta.url), out);
