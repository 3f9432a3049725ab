// The words of the app in the chosen language. Strings are in files, one folder a language; the build fails when a
// language lacks one, and the type checker when the app asks for one that English lacks.

import type { Language } from '../lib/device.svelte';
import english from './en';
import { fill, type Text, type Values } from './fill';
import { localeFor } from './locale';

export type { Values } from './fill';
export type Key = keyof typeof english;

const loaders: Record<Language, () => Promise<Record<Key, Text>>> = {
  en: async () => english,
  ar: async () => (await import('./ar')).default,
};

const localeOf = (language: Language): string =>
  localeFor(language, globalThis.navigator?.languages ?? []);

let now = $state.raw<{ language: Language; locale: string; strings: Record<Key, Text> }>({
  language: 'en',
  locale: localeOf('en'),
  strings: english,
});

/** The language that is shown. */
export function language(): Language {
  return now.language;
}

/** For `Intl`: that language as it is written where the reader is. */
export function locale(): string {
  return now.locale;
}

export function isRightToLeft(): boolean {
  return now.language === 'ar';
}

/** Shows another language once its strings are there; if they can't be had, the present one stays. */
export async function loadLanguage(wanted: Language): Promise<void> {
  if (wanted === now.language) return;
  now = { language: wanted, locale: localeOf(wanted), strings: await loaders[wanted]() };
}

/** The string `key`, with its places filled; `n` also chooses the plural form. */
export function t(key: Key, values: Values = {}): string {
  return fill(now.language, now.strings[key], values, now.locale);
}
