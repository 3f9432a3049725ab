import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faults, readStrings } from '../build/strings';
import { fill, isolate } from '../src/i18n/fill';
import { agoText, daysBetween, dayText, momentText } from '../src/i18n/format.svelte';
import { localeFor } from '../src/i18n/locale';
import { loadLanguage, t } from '../src/i18n/translate.svelte';

const folder = (language: string) => join(import.meta.dirname, '../src/i18n', language);

describe('strings', () => {
  it('are whole in Arabic', () => {
    expect(faults('ar', readStrings(folder('ar')), readStrings(folder('en')))).toEqual([]);
  });

  it('are found out when they are not', () => {
    const english = { a: 'A {name}', n: { one: '{n} dog', other: '{n} dogs' }, gone: 'x' };
    const other = { a: 'A', n: { other: '{n} {m}' }, more: 'y' };
    expect(faults('de', other, english)).toEqual([
      'de: "a"  lacks {name}',
      'de: "n" lacks the plural form "one"',
      'de: "n" other has unknown {m}',
      'de: "gone" is missing',
      'de: "more" is not in English',
    ]);
    expect(faults('de', { ...other, n: 'one' }, english)).toContain(
      'de: "n" has plural forms in one only',
    );
  });

  it('change with the language', async () => {
    expect(t('nav.chats')).toBe('Chats');
    await loadLanguage('ar');
    expect(t('nav.chats')).toBe('المحادثات');
    expect(t('nav.unread', { n: 2 })).toBe('رسالتان غير مقروءتين');
    await loadLanguage('en');
    expect(t('nav.unread', { n: 1 })).toBe('1 unread message');
    expect(t('nav.unread', { n: 1200 })).toBe('1,200 unread messages');
  });
});

describe('filling', () => {
  it('leaves an unknown place alone and fills each once', () => {
    expect(fill('en', '{a} {b} {c}', { a: '{b}', b: 'x' })).toBe('{b} x {c}');
  });

  it('keeps a name from turning the sentence around', () => {
    expect(isolate('en', 'ann')).toBe('ann');
    expect(isolate('en', 'دينا')).toBe('\u2068دينا\u2069');
    expect(isolate('ar', 'ann')).toBe('\u2068ann\u2069');
    expect(isolate('en', 'a\u202eb\u2069c')).toBe('abc');
  });
});

describe('the locale', () => {
  const clock = (language: string, ...languages: string[]) =>
    new Intl.DateTimeFormat(localeFor(language, languages), {
      hour: 'numeric',
      minute: '2-digit',
    }).format(new Date(2026, 10, 30, 14, 5));
  const day = (language: string, ...languages: string[]) =>
    new Intl.DateTimeFormat(localeFor(language, languages), { dateStyle: 'short' }).format(
      new Date(2026, 10, 30),
    );
  const long = (language: string, ...languages: string[]) =>
    new Intl.DateTimeFormat(localeFor(language, languages), { dateStyle: 'long' }).format(
      new Date(2026, 10, 30),
    );

  it("is the first of the browser's of the interface's language", () => {
    expect(localeFor('en', ['en-GB', 'en-US'])).toBe('en-GB');
    expect(localeFor('en', ['en', 'en-GB'])).toBe('en-GB');
    expect(localeFor('ar', ['en-US', 'ar-EG', 'ar'])).toBe('ar-EG');
    expect(localeFor('en', ['en-US'])).toBe('en-US');
    expect(localeFor('en', [])).toBe('en');
    expect(localeFor('en', ['what is this?'])).toBe('en');
  });

  it("is the browser's own region in the interface's words where it speaks another language", () => {
    for (const first of ['de-DE', 'de', 'ja-JP', 'pt-BR', 'fr-CA']) {
      expect(clock('en', first, 'en-US', 'en'), first).toMatch(/^14.05$/);
      expect(day('en', first, 'en-US', 'en'), first).not.toBe('11/30/26');
      expect(long('en', first), first).toContain('November');
    }
    expect(clock('en', 'en-US')).toMatch(/^2:05\sPM$/);
    expect(day('en', 'de-DE')).toBe('30/11/2026');
    expect(clock('ar', 'de-DE')).toMatch(/^14.05$/);
  });
});

describe('times', () => {
  const at = (text: string) => new Date(text).getTime();

  it('count days as the calendar does', () => {
    expect(daysBetween(at('2026-03-03T23:59:00'), at('2026-03-04T00:01:00'))).toBe(1);
    expect(daysBetween(at('2026-03-03T00:01:00'), at('2026-03-03T23:59:00'))).toBe(0);
    expect(daysBetween(at('2026-02-28T12:00:00'), at('2026-03-01T01:00:00'))).toBe(1);
  });

  it('name near days and date far ones', () => {
    const now = at('2026-03-05T12:00:00');
    expect(dayText(at('2026-03-05T01:00:00'), now)).toBe('Today');
    expect(dayText(at('2026-03-04T23:00:00'), now)).toBe('Yesterday');
    expect(dayText(at('2026-03-02T12:00:00'), now)).toBe('Monday');
    expect(dayText(at('2026-02-01T12:00:00'), now)).toContain('February');
    expect(dayText(at('2024-02-01T12:00:00'), now)).toContain('2024');
    expect(agoText(at('2026-03-03T12:00:00'), now)).toBe('Tue');
    expect(agoText(at('2025-03-03T12:00:00'), now)).toContain('25');
    // The day only where it is another one.
    expect(momentText(at('2026-03-05T01:05:00'), now)).toMatch(/^\D?0?1:05( AM)?$/);
    expect(momentText(at('2026-03-04T23:05:00'), now)).toMatch(/March/);
    expect(momentText(at('2026-03-04T23:05:00'), now)).not.toContain('2026');
    expect(momentText(at('2025-03-04T23:05:00'), now)).toContain('25');
  });
});
