import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const tokens = readFileSync(join(import.meta.dirname, '../src/lib/styles/tokens.css'), 'utf8');

/** The light and the dark value of a colour. */
function pair(name: string): [string, string] {
  const [, light = '', dark = ''] =
    new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(tokens) ?? [];
  return [light, dark];
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

it('names of senders are legible on their bubbles, in the light and the dark theme', () => {
  const ground = pair('bubble-other');
  for (let n = 0; n < 8; n++) {
    const colours = pair(`who-${n}`);
    for (const theme of [0, 1] as const)
      expect(contrast(colours[theme], ground[theme]), `${n} ${theme}`).toBeGreaterThan(4.5);
  }
});
