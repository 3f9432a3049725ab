import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { LANGUAGES, readDevice } from '../src/lib/device.svelte';

const boot = readFileSync(join(import.meta.dirname, '../public/boot.js'), 'utf8');

/** Runs boot.js as the browser would, with this in storage. */
function booted(stored: string | null | Error, languages: string[] = ['en-GB']) {
  const root = { dataset: {} as Record<string, string>, lang: '', dir: '' };
  const localStorage = {
    getItem: () => {
      if (stored instanceof Error) throw stored;
      return stored;
    },
  };
  const context: Record<string, unknown> = {
    document: { documentElement: root },
    localStorage,
    navigator: { languages },
  };
  context.globalThis = context;
  runInNewContext(boot, context);
  return root;
}

describe('choices of the browser', () => {
  it('come back as they were stored', () => {
    const device = { ...readDevice(null), theme: 'dark', language: 'ar', enterSends: false };
    expect(readDevice(JSON.stringify(device))).toEqual(device);
  });

  it.each(['', 'x', 'null', '[]', '7', '{"theme":"<b>","textSize":{},"enterSends":"no"}'])(
    'are the defaults when %s is stored',
    (text) => {
      expect(readDevice(text)).toEqual(readDevice(null));
    },
  );
});

describe('boot.js', () => {
  it('puts theme, text size, language and direction on the page', () => {
    const root = booted('{"theme":"dark","textSize":"huge","language":"ar"}');
    expect(root).toMatchObject({
      lang: 'ar',
      dir: 'rtl',
      dataset: { theme: 'dark', textSize: 'huge' },
    });
  });

  it('follows the browser where nothing is chosen', () => {
    expect(booted(null, ['ar-EG', 'en'])).toMatchObject({ lang: 'ar', dir: 'rtl' });
    expect(booted(null, ['fr', 'en-US'])).toMatchObject({ lang: 'en', dir: 'ltr' });
    expect(booted(null, ['fr'])).toMatchObject({ lang: 'en', dataset: { theme: 'system' } });
  });

  it.each(['x', 'null', '"a"', '{"theme":"neon","language":"xx","textSize":"9"}'])(
    'is not moved by %s',
    (text) => {
      expect(booted(text)).toEqual(booted(null));
    },
  );

  it('works where storage is forbidden', () => {
    expect(booted(new Error('denied'))).toEqual(booted(null));
  });

  it('knows the languages that can be chosen', () => {
    for (const { language } of LANGUAGES) {
      expect(booted(JSON.stringify({ language })).lang).toBe(language);
    }
  });
});
