/**
 * A message as it is now: as it was read, with what was done to it since.
 *
 * The same rules as the server's and the Rust SDK's: the newest edit counts, a
 * deleted message takes nothing more, the same person and emoji is one reaction.
 */

import { sameEmoji } from '../emoji.ts';
import type { Message, ReactionGroup, User } from '../types.ts';
import type { Update } from './items.ts';

/** Applies updates in order. Returns the same object when they change nothing. */
export function fold(message: Message, updates: Iterable<Update>): Message {
  let now = message;
  for (const update of updates) now = apply(now, update);
  return now;
}

function apply(message: Message, update: Update): Message {
  switch (update.type) {
    case 'edit':
      if (message.deleted) return message;
      return {
        ...message,
        text: update.text,
        mentions: update.mentions,
        edited: {
          seq: update.seq ?? 0,
          timeMs: update.timeMs,
          first: message.edited?.first ?? message.text,
        },
      };
    case 'deletion':
      return deleted(message);
    case 'reaction': {
      if (message.deleted) return message;
      const reactions = react(message.reactions, update.emoji, update.sender, update.removed);
      return reactions === message.reactions ? message : { ...message, reactions };
    }
    case 'pin':
      if (message.deleted || message.pinned === !update.removed) return message;
      return { ...message, pinned: !update.removed };
  }
}

/** Whether a message is too old to be shown. */
export const isExpired = ({ expiresMs }: Message, nowMs: number): boolean =>
  expiresMs !== undefined && expiresMs <= nowMs;

/** The message without what it said. */
export function deleted(message: Message): Message {
  if (message.deleted) return message;
  return {
    ...message,
    text: '',
    mentions: [],
    edited: undefined,
    pinned: false,
    reactions: [],
    deleted: true,
  };
}

function react(
  groups: readonly ReactionGroup[],
  emoji: string,
  user: User,
  removed: boolean,
): readonly ReactionGroup[] {
  const group = groups.find((other) => sameEmoji(other.emoji, emoji));
  const there = group?.users.some((other) => other.id === user.id) ?? false;
  if (there === !removed) return groups;
  if (!group) return [...groups, { emoji, users: [user] }];
  const users = removed
    ? group.users.filter((other) => other.id !== user.id)
    : [...group.users, user];
  return groups
    .map((other) => (other === group ? { ...group, users } : other))
    .filter((other) => other.users.length > 0);
}
