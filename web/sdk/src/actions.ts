/** What a user can put into a conversation, and set for themselves. */

import type {
  AccountSettings,
  Conversation,
  ConversationSettings,
  Info,
  Mention,
  Message,
  Preferences,
  Profile,
  Role,
  User,
} from './model.ts';

/** Where an action goes. */
export type To =
  /** The 1:1 conversation with the user of this name; looked up when the message leaves. */
  | { readonly type: 'name'; readonly name: string }
  /** The 1:1 conversation with this user. */
  | { readonly type: 'user'; readonly user: string }
  | { readonly type: 'conversation'; readonly conversation: string }
  /** A group that this very action makes: `createGroup`. */
  | { readonly type: 'newGroup' }
  /** The group that this invite code leads to: `join`. */
  | { readonly type: 'invite'; readonly code: string };

/** Where a message can be sent. */
export type Target =
  /** The name of a user. */
  | string
  /** A user. */
  | User
  /** A line of the conversation list. */
  | Conversation
  /** An entry: into its conversation, for example to answer a message. */
  | Pick<Message, 'conversation' | 'sender'>
  | To;

/** A message to send. */
export interface NewMessage {
  readonly text: string;
  /** Seq of the message it answers. */
  readonly replyTo?: number | undefined;
  /** In order, not overlapping; at most 100. */
  readonly mentions?: readonly Mention[] | undefined;
  /** It was written elsewhere and is passed on. */
  readonly forwarded?: boolean | undefined;
}

/** What becomes an entry. All go through the outbox: in order, once, over reconnects. */
export type Action =
  | ({ readonly type: 'text' } & NewMessage)
  /** Gives an own message another text. */
  | {
      readonly type: 'edit';
      readonly seq: number;
      readonly text: string;
      readonly mentions?: readonly Mention[] | undefined;
    }
  /** Deletes a message for all; `ordinal` is the message's. */
  | { readonly type: 'delete'; readonly seq: number; readonly ordinal: number }
  | {
      readonly type: 'react';
      readonly seq: number;
      readonly emoji: string;
      readonly removed?: boolean | undefined;
    }
  | { readonly type: 'pin'; readonly seq: number; readonly removed?: boolean | undefined }
  /** Goes to `{type: 'newGroup'}`. The sender is its owner. */
  | ({ readonly type: 'createGroup' } & NewGroup)
  /** What is absent stays; `settings` are given whole. */
  | ({ readonly type: 'changeConversation' } & ConversationChange)
  | { readonly type: 'addMembers'; readonly users: readonly string[] }
  | { readonly type: 'removeMember'; readonly user: string }
  /** Keeps somebody out, and puts them out if they are in. */
  | { readonly type: 'banMember'; readonly user: string }
  | { readonly type: 'unbanMember'; readonly user: string }
  | { readonly type: 'leave' }
  /** `owner` hands the group over. */
  | { readonly type: 'setRole'; readonly user: string; readonly role: Role }
  /** Goes to `{type: 'invite'}`. */
  | { readonly type: 'join' }
  /** Erases everything up to a seq for all. */
  | { readonly type: 'eraseHistory'; readonly upTo: number };

/** A group to make. */
export interface NewGroup {
  readonly title: string;
  readonly description?: string | undefined;
  readonly picture?: string | undefined;
  readonly settings?: Partial<ConversationSettings> | undefined;
  /** User ids, besides the owner. */
  readonly members?: readonly string[] | undefined;
}

/** What to change in a conversation. */
export interface ConversationChange extends Partial<Info> {
  readonly settings?: ConversationSettings | undefined;
}

/** What to set for a conversation; what is absent stays. */
export interface PreferencesChange extends Partial<Omit<Preferences, 'draftReplyTo' | 'accepted'>> {
  /** 0 takes it away. */
  readonly draftReplyTo?: number | undefined;
  /** Takes up what a stranger began. */
  readonly accepted?: true | undefined;
}

/** What to change in the own profile; what is absent stays. */
export type ProfileChange = Partial<Omit<Profile, 'user' | 'deleted'>>;

/** What to change in the settings; what is absent stays. */
export type AccountSettingsChange = Partial<AccountSettings>;

/** Tells the operators about somebody. */
export interface Report {
  readonly user: string;
  readonly conversation?: string | undefined;
  /** At most 100. */
  readonly seqs?: readonly number[] | undefined;
  /** 1 to 1,000 characters. */
  readonly reason: string;
}

/** A link to make. */
export interface NewInvite {
  readonly expiresMs?: number | undefined;
  readonly maxUses?: number | undefined;
}
