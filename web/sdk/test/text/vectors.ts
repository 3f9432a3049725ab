/** The golden vectors of `docs/text.md`. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../../protocol/vectors/text/', import.meta.url));

export function vectors<T>(file: string): readonly (T & { readonly name: string })[] {
  return JSON.parse(readFileSync(`${folder}${file}.json`, 'utf8')).vectors;
}
