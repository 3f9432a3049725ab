// Fails the build when a language lacks a string of English, has one too many, misses a placeholder of it, or
// lacks a plural form that its grammar needs.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** A string, or its forms by plural category (`zero`, `one`, `two`, `few`, `many`, `other`). */
export type Text = string | Record<string, string>;
export type Strings = Record<string, Text>;

/** What is wrong with `strings` of `language`, measured against English; empty when nothing is. */
export function faults(language: string, strings: Strings, english: Strings): string[] {
  const found: string[] = [];
  for (const [key, text] of Object.entries(english)) {
    const other = strings[key];
    if (other === undefined) found.push(`${language}: "${key}" is missing`);
    else found.push(...faultsOfText(language, key, other, text));
  }
  for (const key of Object.keys(strings)) {
    if (!(key in english)) found.push(`${language}: "${key}" is not in English`);
  }
  return found;
}

function faultsOfText(language: string, key: string, text: Text, english: Text): string[] {
  if (typeof text !== typeof english) return [`${language}: "${key}" has plural forms in one only`];
  const found: string[] = [];
  if (typeof text === 'object') {
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const form of needed) {
      if (!(form in text)) found.push(`${language}: "${key}" lacks the plural form "${form}"`);
    }
  }
  const expected = placeholders(typeof english === 'string' ? english : (english.other ?? ''));
  const forms = typeof text === 'string' ? [['', text] as const] : Object.entries(text);
  for (const [form, value] of forms) {
    // Forms for a fixed number, such as "one", may leave the number out.
    const has = placeholders(value);
    const optional = form !== '' && form !== 'other' ? 'n' : '';
    for (const name of expected) {
      if (!has.has(name) && name !== optional) {
        found.push(`${language}: "${key}" ${form} lacks {${name}}`);
      }
    }
    for (const name of has) {
      if (!expected.has(name)) found.push(`${language}: "${key}" ${form} has unknown {${name}}`);
    }
  }
  return found;
}

function placeholders(text: string): Set<string> {
  return new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string));
}

/** All strings of one language: the files of its folder, one a part of the app. */
export function readStrings(folder: string): Strings {
  const strings: Strings = {};
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.json')) continue;
    const part = file.replace(/\.json$/, '');
    const read = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Strings;
    for (const [key, text] of Object.entries(read)) {
      if (key in strings) throw new Error(`${folder}/${file}: "${key}" is there twice`);
      if (part === 'chat' && !key.startsWith('chat.')) {
        throw new Error(`${folder}/${file}: "${key}" must begin with "chat."`);
      }
      strings[key] = text;
    }
  }
  return strings;
}

/** The Vite plugin: every language beside `en` is compared with it before anything is built. */
export function wholeStrings(root = join(import.meta.dirname, '../src/i18n')): Plugin {
  return {
    name: 'parley-strings',
    buildStart() {
      const languages = readdirSync(root, { withFileTypes: true }).filter((e) => e.isDirectory());
      const english = readStrings(join(root, 'en'));
      const found = languages.flatMap(({ name }) =>
        faults(name, readStrings(join(root, name)), english),
      );
      if (found.length > 0) this.error(`strings are not whole:\n  ${found.join('\n  ')}`);
    },
  };
}
