// Whether names are what somebody looks for: all words, whatever their case and accents, as search in a chat finds them.

import { hasAll, wantedWords } from '@parley/client/view';

/** Tells whether texts have all the words of the query; an empty query takes all. */
export function matcher(query: string): (...texts: readonly string[]) => boolean {
  const wanted = wantedWords(query.trim().replace(/^@/, ''));
  if (wanted.length === 0) return () => true;
  return (...texts) => hasAll(texts.join('\n'), wanted);
}
