/**
 * What a timeline works with: entries as they come from the SDK, and own sends that
 * are still on their way.
 */

import type {
  Action,
  Deletion,
  Edit,
  Entry,
  ErrorInfo,
  Mention,
  Message,
  OutboxItem,
  Pin,
  Reaction,
  User,
} from '../types.ts';

/** Something done to a message. */
export type Relation = Edit | Deletion | Reaction | Pin;

export const isRelation = (entry: Entry): entry is Relation =>
  entry.type === 'edit' ||
  entry.type === 'deletion' ||
  entry.type === 'reaction' ||
  entry.type === 'pin';

/** What a relation does to its message; also an own one on its way, without a seq. */
export type Update =
  | {
      readonly type: 'edit';
      readonly target: number;
      readonly seq?: number | undefined;
      readonly timeMs: number;
      readonly text: string;
      readonly mentions: readonly Mention[];
    }
  | { readonly type: 'deletion'; readonly target: number }
  | {
      readonly type: 'reaction';
      readonly target: number;
      readonly emoji: string;
      readonly removed: boolean;
      readonly sender: User;
    }
  | { readonly type: 'pin'; readonly target: number; readonly removed: boolean };

/** An own send that is not committed, or whose entry has not come back yet. */
export interface PendingSend {
  readonly localId: number;
  readonly clientMessageId: string;
  /** `sent`: committed, and its entry has not come yet. */
  readonly status: OutboxItem['status'] | 'sent';
  readonly error?: ErrorInfo | undefined;
  /** Where it was put, once committed. */
  readonly seq?: number | undefined;
  /** What it will say, with seq 0, if it is a message. */
  readonly message?: Message | undefined;
  /** What it will do to a message. */
  readonly update?: Update | undefined;
}

/** What an item of the outbox will be; nothing for what is not shown. */
export function pendingSend(
  item: OutboxItem,
  conversation: string,
  me: User,
): PendingSend | undefined {
  const { localId, clientMessageId, status, error, action } = item;
  const send = { localId, clientMessageId, status, error };
  if (action.type === 'text') return { ...send, message: message(item, action, conversation, me) };
  const update = updateOf(action, item.queuedMs, me);
  // What was refused did nothing.
  return update && status !== 'failed' ? { ...send, update } : undefined;
}

function message(
  item: OutboxItem,
  action: Extract<Action, { type: 'text' }>,
  conversation: string,
  me: User,
): Message {
  return {
    type: 'message',
    conversation,
    seq: 0,
    ordinal: 0,
    sender: me,
    text: action.text,
    timeMs: item.queuedMs,
    own: true,
    replyTo: action.replyTo,
    mentions: action.mentions ?? [],
    mentionsMe: false,
    forwarded: action.forwarded ?? false,
    deleted: false,
    pinned: false,
    reactions: [],
  };
}

function updateOf(action: Action, timeMs: number, me: User): Update | undefined {
  switch (action.type) {
    case 'edit': {
      const { seq: target, text, mentions = [] } = action;
      return { type: 'edit', target, timeMs, text, mentions };
    }
    case 'delete':
      return { type: 'deletion', target: action.seq };
    case 'react': {
      const { seq: target, emoji, removed = false } = action;
      return { type: 'reaction', target, emoji, removed, sender: me };
    }
    case 'pin':
      return { type: 'pin', target: action.seq, removed: action.removed ?? false };
    default:
      return undefined;
  }
}
