// No text is compared by the rules of the browser's language: in Turkish, I would be another letter than i.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('nothing is lower-cased by the language of the browser', () => {
  const src = fileURLToPath(new URL('../src/', import.meta.url));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' });
  const found = files
    .filter((file) => /\.(ts|svelte)$/.test(file))
    .filter((file) => readFileSync(src + file, 'utf8').includes('toLocaleLowerCase'));
  expect(found).toEqual([]);
});
