// Who can be mentioned by what was written after an @.

import type { User } from '@parley/client';
import { fold } from '@parley/client/text';
import type { Match } from './completion.svelte';

export interface People {
  readonly users: readonly User[];
  /** The id of the writer, who is not offered. */
  readonly me: string;
  /** What somebody likes to be called. */
  readonly called: (user: User) => string;
  /** What all of them together are called; absent where the writer can't mention all. */
  readonly everyone?: string | undefined;
}

/** Those whose name begins with these letters, and everyone last; `most` people at most. */
export function findPeople(
  { users, me, called, everyone }: People,
  letters: string,
  most: number,
): Match[] {
  const found: Match[] = users
    .filter((user) => user.id !== me)
    .filter((user) => user.name.startsWith(letters) || fold(called(user)).startsWith(letters))
    .slice(0, most)
    .map((user) => {
      const name = `@${user.name}`;
      return { id: user.id, put: name, called: called(user), detail: name };
    });
  if (everyone !== undefined && 'everyone'.startsWith(letters)) {
    const put = '@everyone';
    found.push({ id: 'everyone', put, called: everyone, detail: put });
  }
  return found;
}
