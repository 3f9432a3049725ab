import { expect, test } from 'vitest';
import { withoutBlankEnds } from '../../src/view/index.ts';

test('blank lines at both ends are not sent, those between and the indent are', () => {
  expect(withoutBlankEnds('\n \n\t\n  one\n\n two \n\n')).toBe('  one\n\n two');
  expect(withoutBlankEnds('a')).toBe('a');
  expect(withoutBlankEnds(' a ')).toBe(' a');
  expect(withoutBlankEnds(' \n ')).toBe('');
  expect(withoutBlankEnds('')).toBe('');
});
