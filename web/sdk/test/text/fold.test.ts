/** How texts are compared: as written down in the golden vectors, and once for all. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fold } from '../../src/text/index.ts';
import { vectors } from './vectors.ts';

test.each(vectors<{ text: string; folded: string }>('fold'))('$name', ({ text, folded }) => {
  expect(fold(text)).toBe(folded);
});

test('folding twice changes nothing more', () => {
  // A space ends what belongs together, so that many can be tried at a time.
  const all: number[] = [];
  for (let code = 0; code < 0x20000; code++) if (code < 0xd800 || code > 0xdfff) all.push(code);
  for (let at = 0; at < all.length; at += 4096) {
    const once = fold(
      all
        .slice(at, at + 4096)
        .map((code) => String.fromCodePoint(code))
        .join(' '),
    );
    expect(fold(once) === once, `from U+${all[at]?.toString(16)} on`).toBe(true);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = fold(text);
      expect(fold(once)).toBe(once);
    }),
  );
});
