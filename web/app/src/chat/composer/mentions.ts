// Mentions while writing: what is being completed, and which names in the finished text mean somebody.

import type { Mention, User } from '@parley/client';

/** What stands before an @ in one piece with it is an address on the web. */
const ADDRESS = /:\/\/|^www\.|^[^@]*[\p{L}\p{N}]\.\p{L}{2,}(:\d+)?[/?#]/iu;

/** Whether the @ at this place is part of an address. */
function inAddress(text: string, at: number): boolean {
  return ADDRESS.test(/\S*$/u.exec(text.slice(Math.max(0, at - 2_000), at))?.[0] ?? '');
}

/** A name as the server takes it, after an @ that doesn't stand in a word. */
const NAMES = /(?<![\p{L}\p{N}_@])@([a-z][a-z0-9._-]{0,31})/gu;
const BEGUN = /(?<![\p{L}\p{N}_@])@([a-z0-9._-]{0,32})$/u;
const MOST = 100;

export interface Begun {
  /** Where the @ stands, in UTF-16 units. */
  readonly at: number;
  readonly letters: string;
}

/** The mention that is being written before the caret. */
export function begun(text: string, caret: number): Begun | undefined {
  const before = text.slice(Math.max(0, caret - 40), caret);
  const match = BEGUN.exec(before);
  if (!match) return undefined;
  const at = caret - (match[0]?.length ?? 0);
  return inAddress(text, at) ? undefined : { at, letters: match[1] ?? '' };
}

/** The mentions of a text: names of members, and everyone where the writer may say so. */
export function findMentions(
  text: string,
  members: ReadonlyMap<string, User>,
  everyone: boolean,
): Mention[] {
  const found: Mention[] = [];
  let scalars = 0;
  let units = 0;
  for (const match of text.matchAll(NAMES)) {
    const who = whoIs(match[1] ?? '', members, everyone);
    if (!who || inAddress(text, match.index)) continue;
    while (units < match.index) {
      units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
      scalars++;
    }
    found.push({ start: scalars, length: who.letters + 1, who: who.who });
    if (found.length === MOST) break;
  }
  return found;
}

function whoIs(
  letters: string,
  members: ReadonlyMap<string, User>,
  everyone: boolean,
): { letters: number; who: Mention['who'] } | undefined {
  // A name may end in a dot, and a sentence too: the longest that is somebody counts.
  for (let name = letters; name !== ''; name = name.slice(0, -1)) {
    if (everyone && name === 'everyone') return { letters: name.length, who: { type: 'everyone' } };
    const user = members.get(name);
    if (user) return { letters: name.length, who: { type: 'user', user: user.id } };
    if (!/[._-]$/.test(name)) return undefined;
  }
  return undefined;
}
