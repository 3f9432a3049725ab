/** What is found: whatever the case, the accents and the writing. */

import { expect, test } from 'vitest';
import { excerpt, hasAll, wantedWords } from '../../src/view/match.ts';

const finds = (text: string, query: string) => hasAll(text, wantedWords(query));

test('case, accents, width and unseen characters make no difference', () => {
  for (const [text, query] of [
    ['Crème BRÛLÉE', 'creme brulee'],
    ['creme brulee', 'CRÈME'],
    ['Straße', 'STRASSE'],
    ['strasse', 'straße'],
    ['ΟΔΟΣ', 'οδος'],
    ['İstanbul', 'istanbul'],
    ['Łódź', 'lodz'],
    ['Đà Nẵng', 'da nang'],
    ['smørrebrød', 'smorrebrod'],
    ['Œuvre', 'oeuvre'],
    ['it’s', "it's"],
    ['ｆｕｌｌ ｗｉｄｔｈ', 'full width'],
    ['Dvořák', 'dvorak'],
    ['e\u0301te\u0301', 'été'],
    ['soft\u00adhyphen', 'softhyphen'],
    ['na\u200bive', 'naive'],
  ] as const)
    expect(finds(text, query), `${query} in ${text}`).toBe(true);
});

test('Chinese, Japanese and Korean are found inside a sentence', () => {
  expect(finds('明天我们在北京大学见面', '北京')).toBe(true);
  expect(finds('きょうは東京タワーへ行きました', '東京タワー')).toBe(true);
  expect(finds('ﾀﾜｰ', 'タワー')).toBe(true);
  // A voiced sound is another sound, not an accent.
  expect(finds('かき', 'がき')).toBe(false);
  expect(finds('내일 학교에서 만나요', '학교')).toBe(true);
  expect(finds('明天', '今天')).toBe(false);
});

test('Arabic is found with and without vowels, hamza and stretching; Hebrew without points', () => {
  expect(finds('السَّلامُ عَلَيْكُم', 'السلام عليكم')).toBe(true);
  expect(finds('أحمد إلى المدرسة', 'احمد الي المدرسه')).toBe(true);
  expect(finds('مـــرحبا', 'مرحبا')).toBe(true);
  expect(finds('کتاب یار', 'كتاب يار')).toBe(true);
  expect(finds('שָׁלוֹם', 'שלום')).toBe(true);
});

test('the vowels of Hindi and Thai are not taken off', () => {
  expect(finds('कल', 'काल')).toBe(false);
  expect(finds('काल', 'काल')).toBe(true);
  expect(finds('ที่', 'ทา')).toBe(false);
});

test('all words are asked for, in any order and anywhere', () => {
  expect(finds('the harbour walk on Sunday', 'sun harb')).toBe(true);
  expect(finds('the harbour walk', 'harbour monday')).toBe(false);
  expect(wantedWords('  \u200b \n')).toEqual([]);
  expect(hasAll('anything', [])).toBe(false);
  expect(
    wantedWords('a '.repeat(9) + Array.from({ length: 50 }, (_, i) => `w${i}`).join(' ')),
  ).toHaveLength(16);
});

test('an excerpt shows where it was found, and loses nothing of a short text', () => {
  const wanted = wantedWords('brulee');
  expect(excerpt('A crème\nBRÛLÉE for me', wanted)).toEqual([
    { text: 'A crème ', found: false },
    { text: 'BRÛLÉE', found: true },
    { text: ' for me', found: false },
  ]);
  const long = `${'before '.repeat(5_000)}the brûlée${' after'.repeat(5_000)}`;
  const pieces = excerpt(long, wanted, 100);
  expect(pieces.find(({ found }) => found)?.text).toBe('brûlée');
  expect(pieces[0]?.text.startsWith('…')).toBe(true);
  expect(pieces.at(-1)?.text.endsWith('…')).toBe(true);
  expect([...pieces.map(({ text }) => text).join('')].length).toBeLessThanOrEqual(102);
});

test('letters outside the basic plane are not torn', () => {
  const pieces = excerpt(`😀 ${'𝒜'.repeat(300)} b`, wantedWords('b'), 40);
  expect(pieces.map(({ text }) => text).join('')).not.toMatch(/\p{Cs}/u);
});
