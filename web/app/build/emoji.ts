// The emoji that the picker offers, as a module of its own (`virtual:emoji`) that is loaded when it is first opened:
// a short form of emojibase's data, so that no network is asked and nothing is shipped that isn't used.

import { createRequire } from 'node:module';
import type { Plugin } from 'vite';

interface Full {
  readonly unicode: string;
  readonly label: string;
  readonly group?: number;
  readonly order?: number;
  readonly tags?: readonly string[];
}

const NAME = 'virtual:emoji';
/** Emojibase's number for skin tones and hair, which stand for nothing by themselves. */
const COMPONENTS = 2;

/** `[group, [[emoji, words to find it by], ...]]`, in emojibase's order. */
export function emoji(): [number, [string, string][]][] {
  const all = createRequire(import.meta.url)('emojibase-data/en/compact.json') as Full[];
  const groups = new Map<number, [string, string][]>();
  for (const one of [...all].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))) {
    if (one.group === undefined || one.group === COMPONENTS) continue;
    const list = groups.get(one.group) ?? [];
    list.push([one.unicode, [one.label, ...(one.tags ?? [])].join(' ')]);
    groups.set(one.group, list);
  }
  return [...groups];
}

export function emojiModule(): Plugin {
  return {
    name: 'parley-emoji',
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    load: (id) => (id === `\0${NAME}` ? `export default ${JSON.stringify(emoji())}` : undefined),
  };
}
