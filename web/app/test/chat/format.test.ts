// What Ctrl+B, Ctrl+I and Ctrl+Shift+L make of a text; | is where the selection begins and ends.

import { expect, test } from 'vitest';
import {
  type Change,
  code,
  isInCode,
  linked,
  marked,
  prefixed,
} from '../../src/chat/composer/format';

function run(shown: string, change: (text: string, from: number, to: number) => Change): string {
  const from = shown.indexOf('|');
  const to = shown.lastIndexOf('|') - 1;
  const text = shown.replaceAll('|', '');
  const { put, select, ...at } = change(text, from, to);
  const now = text.slice(0, at.from) + put + text.slice(at.to);
  return `${now.slice(0, select[0])}|${now.slice(select[0], select[1])}|${now.slice(select[1])}`;
}
const bold = (shown: string) => run(shown, (text, from, to) => marked(text, from, to, '**'));
const italic = (shown: string) => run(shown, (text, from, to) => marked(text, from, to, '*'));
const link = (shown: string) => run(shown, linked);

test('marks go around what is selected, without the spaces at its ends', () => {
  expect(bold('a |word| b')).toBe('a **|word|** b');
  expect(bold('a| word |b')).toBe('a **|word|** b');
  expect(italic('||')).toBe('*||*');
  expect(italic('|مهم|')).toBe('*|مهم|*');
});

test('the same keys take them off again', () => {
  expect(bold('a **|word|** b')).toBe('a |word| b');
  expect(bold('a |**word**| b')).toBe('a |word| b');
  expect(italic('*|word|*')).toBe('|word|');
  expect(bold('**||**')).toBe('||');
});

test('bold and italic are told apart', () => {
  expect(italic('**|word|**')).toBe('***|word|***');
  expect(bold('*|word|*')).toBe('***|word|***');
  expect(italic('***|word|***')).toBe('**|word|**');
  expect(bold('***|word|***')).toBe('*|word|*');
});

test('a link asks for what is missing', () => {
  expect(link('see |this| now')).toBe('see [this](|https://|) now');
  expect(link('see |https://example.com/a| now')).toBe('see [||](https://example.com/a) now');
  expect(link('||')).toBe('[](|https://|)');
});

test('what is code knows no marks', () => {
  const inCode = (shown: string) => isInCode(shown.replace('|', ''), shown.indexOf('|'));
  expect(['a `b|', '```\nx|', 'a\n```ts\nx|\n```'].map(inCode)).toEqual([true, true, true]);
  expect(['a|', 'a `b` c|', '```\nx\n```\n|', 'a ` b\n|'].map(inCode)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('strike and code, put on and taken off', () => {
  const strike = (shown: string) => run(shown, (text, from, to) => marked(text, from, to, '~~'));
  expect(strike('a |b| c')).toBe('a ~~|b|~~ c');
  expect(strike('a ~~|b|~~ c')).toBe('a |b| c');
  expect(run('a |b| c', code)).toBe('a `|b|` c');
  expect(run('a `|b|` c', code)).toBe('a |b| c');
  expect(run('so |a\nb|', code)).toBe('so \n```\n|a\nb|\n```');
});

test('quotes and lists begin the lines of what is selected', () => {
  const quote = (shown: string) => run(shown, (text, from, to) => prefixed(text, from, to, '> '));
  expect(quote('a\nb|c\nd|e\nf')).toBe('a\n|> bc\n> de|\nf');
  expect(quote('|> bc\n> de|')).toBe('|bc\nde|');
  expect(run('||', (text, from, to) => prefixed(text, from, to, '- '))).toBe('- ||');
});
