/**
 * Where the first unread message lies, when that is far from the end: its ordinal is
 * known, its seq is not. Looked for with small pages, by how closely messages lie.
 */

import type { Conversation, HistoryPage, Range } from '../types.ts';

/** Entries of a page that is only looked at. */
const LOOK = 50;

/** Pages looked at, at most: then the best guess has to do. */
const LOOKS = 12;

interface Place {
  readonly seq: number;
  readonly ordinal: number;
}

/** The seq of the first message after `line.floor`, or one near it. */
export async function firstUnread(
  line: Pick<Conversation, 'floor' | 'read' | 'lastSeq'>,
  look: (range: Range, limit: number) => Promise<HistoryPage>,
): Promise<number> {
  const wanted = line.floor + 1;
  if (line.floor === 0) return line.read + 1;
  // It lies between these two, the ends not included.
  let low: Place = { seq: 0, ordinal: 0 };
  let high: Place = { seq: line.lastSeq + 1, ordinal: Number.POSITIVE_INFINITY };
  let guess = line.lastSeq;
  for (let looks = 1; looks <= LOOKS && low.seq + 1 < high.seq; looks += 1) {
    const page = await look({ type: 'before', seq: guess + LOOK / 2 }, LOOK);
    const places = page.entries.filter((entry) => entry.type === 'message');
    const found = places.find(({ ordinal }) => ordinal >= wanted);
    const [oldest] = places;
    if (found && oldest && oldest.ordinal <= wanted) return found.seq;
    const first = page.entries[0]?.seq ?? 0;
    if (found && oldest) high = oldest;
    else if (places.length > 0) low = places.at(-1) as Place;
    // Nothing countable here: the next page is the one before.
    else if (first > low.seq + 1) {
      guess = first - LOOK / 2;
      continue;
    } else break;
    guess = between(low, high, wanted, looks % 3 === 0);
  }
  return Math.max(low.seq, guess, line.read + 1);
}

/** A seq for an ordinal, taking messages to lie evenly; now and then the middle, for when they don't. */
function between(low: Place, high: Place, wanted: number, middle: boolean): number {
  const part = (wanted - low.ordinal) / (high.ordinal - low.ordinal);
  const at = low.seq + Math.round((high.seq - low.seq) * (middle ? 0.5 : part));
  return Math.min(Math.max(at, low.seq + 1), high.seq - 1);
}
