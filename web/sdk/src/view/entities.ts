/**
 * What the view models need to know of the SDK's data. Stands in for
 * `../types.ts` until that is there; the names are the same.
 */

export interface User {
  readonly id: string;
  readonly name: string;
}

export interface Mention {
  /** In characters (Unicode scalar values) of the text. */
  readonly start: number;
  readonly length: number;
  readonly who: { readonly type: 'user'; readonly user: string } | { readonly type: 'everyone' };
}

export interface ReactionGroup {
  readonly emoji: string;
  /** The first one first. */
  readonly users: readonly User[];
}

export interface Message {
  readonly conversation: string;
  readonly seq: number;
  readonly ordinal: number;
  readonly sender: User;
  readonly text: string;
  readonly timeMs: number;
  readonly own: boolean;
  readonly replyTo?: number | undefined;
  readonly mentions: readonly Mention[];
  readonly mentionsMe: boolean;
  readonly forwarded: boolean;
  readonly edited?: { readonly seq: number; readonly timeMs: number } | undefined;
  readonly deleted: boolean;
  readonly pinned: boolean;
  readonly reactions: readonly ReactionGroup[];
}
