// The emoji that picker and completion offer, as a module of its own (`virtual:emoji`) that is loaded when it is first
// needed: a short form of emojibase's data, so that no network is asked and nothing is shipped that isn't used.

import { createRequire } from 'node:module';
import type { Plugin } from 'vite';
import { toned } from '../src/chat/composer/tones.ts';

interface Full {
  readonly hexcode: string;
  readonly unicode: string;
  readonly label: string;
  readonly group?: number;
  readonly order?: number;
  readonly tags?: readonly string[];
  readonly skins?: readonly { readonly unicode: string }[];
}

/** Of an emoji that comes in skin tones, a `1` at the end. */
type Short = [string, string, string, 1?];

const NAME = 'virtual:emoji';
/** Emojibase's number for skin tones and hair, which stand for nothing by themselves. */
const COMPONENTS = 2;

/** `[group, [[emoji, words to find it by, what it is called between colons, 1], ...]]`, in emojibase's order. */
export function emoji(): [number, Short[]][] {
  const load = createRequire(import.meta.url);
  const all = load('emojibase-data/en/compact.json') as Full[];
  // The names that people know from GitHub, Slack and others.
  const known = load('emojibase-data/en/shortcodes/github.json') as Record<
    string,
    string | string[]
  >;
  const groups = new Map<number, Short[]>();
  for (const one of [...all].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))) {
    if (one.group === undefined || one.group === COMPONENTS) continue;
    const list = groups.get(one.group) ?? [];
    const codes = [known[one.hexcode] ?? one.label.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '_')];
    const short: Short = [
      one.unicode,
      [one.label, ...(one.tags ?? [])].join(' '),
      codes.flat().join(' '),
    ];
    if (hasTones(one)) short.push(1);
    list.push(short);
    groups.set(one.group, list);
  }
  return [...groups];
}

/** Whether a tone after the first character is one of its forms; of two people each has a tone. */
function hasTones({ unicode, skins = [] }: Full): boolean {
  return skins.some((skin) => skin.unicode === toned(unicode, 1));
}

export function emojiModule(): Plugin {
  return {
    name: 'parley-emoji',
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load: (id) => (id === `\0${NAME}` ? `export default ${JSON.stringify(emoji())}` : undefined),
  };
}
