// What a letter tile shows.

const WORD = /[\p{L}\p{N}]/u;

/** One or two letters of a name, whole as people see them (a flag or an accent is not cut). */
export function initials(name: string): string {
  const words = name
    .split(/[\s._-]+/u)
    .map((word) => [...segments(word)].find((letter) => WORD.test(letter)))
    .filter((letter) => letter !== undefined);
  const first = words[0];
  if (first === undefined) return segments(name.trim()).next().value ?? '?';
  const last = words.length > 1 ? (words.at(-1) ?? '') : '';
  return (first + last).toUpperCase();
}

function* segments(text: string): Generator<string, undefined> {
  // Names can be long and hostile: a cluster of more than a few characters is not shown in a tile.
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(
    text.slice(0, 200),
  )) {
    yield segment.length > 12 ? '?' : segment;
  }
  return undefined;
}

/** Which of the eight colours belongs to an id. */
export function tileColour(id: string): number {
  let hash = 0;
  for (const char of id) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return ((hash ^ (hash >>> 7)) >>> 0) % 8;
}
