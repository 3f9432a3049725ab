/**
 * What conversations hold, as the application sees it: plain data that can be
 * stored and passed between tabs as it is.
 *
 * Ids are lower-case UUIDs, seqs and counts numbers, times Unix milliseconds of
 * the server's clock.
 */

/** A user as others see them. */
export interface User {
  readonly id: string;
  /** The unique name; the id where the name is not known. */
  readonly name: string;
}

/** Where an entry is and whose it is. */
export interface Origin {
  readonly conversation: string;
  /** Its position there: 1, 2, 3 ... */
  readonly seq: number;
  readonly sender: User;
  readonly timeMs: number;
  /**
   * Whether this user did it, on this or another device. Events tell own messages
   * too: a bot passes them over, or it answers itself for ever.
   */
  readonly own: boolean;
}

/** A part of a text that names somebody. */
export interface Mention {
  /** In characters (Unicode scalar values, not UTF-16 units) of the text. */
  readonly start: number;
  readonly length: number;
  readonly who: { readonly type: 'user'; readonly user: string } | { readonly type: 'everyone' };
}

/** All who react to a message in the same way. */
export interface ReactionGroup {
  /** Usually one emoji. */
  readonly emoji: string;
  /** The first one first. */
  readonly users: readonly User[];
}

/** When a message got the text it has. */
export interface Edited {
  /** Seq of the edit. */
  readonly seq: number;
  readonly timeMs: number;
  /** What it said before its first edit. */
  readonly first: string;
}

/** One message. In a history page it is as it is now, in an event as it was sent. */
export interface Message extends Origin {
  readonly type: 'message';
  /** Messages up to and including this one. */
  readonly ordinal: number;
  /** Empty when deleted. */
  readonly text: string;
  /** Seq of the message it answers. */
  readonly replyTo?: number | undefined;
  readonly mentions: readonly Mention[];
  /** Whether it names this user, or everyone. */
  readonly mentionsMe: boolean;
  /** It was written elsewhere and passed on. */
  readonly forwarded: boolean;
  readonly edited?: Edited | undefined;
  /** Deleted for all, erased, or hidden by this user. */
  readonly deleted: boolean;
  readonly pinned: boolean;
  /** The oldest reaction first. */
  readonly reactions: readonly ReactionGroup[];
  /** From this moment of the device's clock on it is too old to be shown. */
  readonly expiresMs?: number | undefined;
}

/** The author gave a message another text. */
export interface Edit extends Origin {
  readonly type: 'edit';
  /** Seq of the message. */
  readonly target: number;
  readonly text: string;
  readonly mentions: readonly Mention[];
}

/** A message was deleted for all. */
export interface Deletion extends Origin {
  readonly type: 'deletion';
  readonly target: number;
  readonly targetOrdinal: number;
}

/** Somebody reacted to a message, or took it back. */
export interface Reaction extends Origin {
  readonly type: 'reaction';
  readonly target: number;
  readonly emoji: string;
  readonly removed: boolean;
}

/** A message was pinned, or its pin taken off. */
export interface Pin extends Origin {
  readonly type: 'pin';
  readonly target: number;
  readonly removed: boolean;
}

/** Who is in the conversation, or how it works, changed. */
export interface Change extends Origin {
  readonly type: 'change';
  readonly what: What;
}

/** What changed in a conversation. */
export type What =
  /** The group began; the sender is its owner. */
  | {
      readonly type: 'created';
      readonly info: Info;
      readonly settings: ConversationSettings;
      /** Besides the owner. */
      readonly members: readonly User[];
    }
  /** Info or settings; what is absent stayed. */
  | {
      readonly type: 'changed';
      readonly title?: string | undefined;
      readonly description?: string | undefined;
      readonly picture?: string | undefined;
      readonly settings?: ConversationSettings | undefined;
    }
  | { readonly type: 'added'; readonly users: readonly User[] }
  /** With `ban` also kept out; then the user need not have been in. */
  | { readonly type: 'removed'; readonly user: User; readonly ban: boolean }
  /** The user may come in again. */
  | { readonly type: 'unbanned'; readonly user: User }
  /** The sender left. */
  | { readonly type: 'left' }
  /** The sender came by an invite link. */
  | { readonly type: 'joined' }
  /** A new owner makes an admin of the sender. */
  | { readonly type: 'role'; readonly user: User; readonly role: Role }
  /** Nobody sees entries up to this seq any more. */
  | { readonly type: 'erased'; readonly upTo: number };

/** Something other than a message whose content is gone. */
export interface Erased extends Origin {
  readonly type: 'erased';
  /** A number of `EntryKind`. */
  readonly kind: number;
}

/** Something newer than this build, or malformed. Show {@link UNKNOWN_FALLBACK}. */
export interface UnknownEntry extends Origin {
  readonly type: 'unknown';
  readonly kind: number;
  readonly body: Uint8Array;
}

/**
 * Something that the server can't read any more: its disk damaged or lost it. Only
 * `conversation` and `seq` count. It may come back, when the operator brings it back.
 */
export interface Damaged extends Origin {
  readonly type: 'damaged';
}

/** One record of a conversation's log. */
export type Entry =
  | Message
  | Edit
  | Deletion
  | Reaction
  | Pin
  | Change
  | Erased
  | Damaged
  | UnknownEntry;

/** What to show in place of an {@link UnknownEntry}. */
export const UNKNOWN_FALLBACK = 'This needs a newer version of the app.';

/** What sort of conversation it is: `direct` is two users, or one with themselves. */
export type ConversationKind = 'direct' | 'group';

/** What a member may do; the later may do more. */
export type Role = 'member' | 'admin' | 'owner';

/** Who may do something in a group; admins include the owner. */
export type Who = 'members' | 'admins';

/** What a group is called. Empty in a 1:1. */
export interface Info {
  readonly title: string;
  readonly description: string;
  /** Where its picture is; opaque to the server. */
  readonly picture: string;
}

/** How a conversation works. */
export interface ConversationSettings {
  /** Who sends messages and reactions. */
  readonly send: Who;
  /** Who adds people and makes invite links. */
  readonly add: Who;
  /** Who changes title, description and picture, pins, and mentions everyone. */
  readonly editInfo: Who;
  /** Newcomers see everything instead of what follows their joining. */
  readonly historyForNewcomers: boolean;
  /** Seconds after which entries are erased; 0 keeps them for ever. */
  readonly retentionS: number;
}

/** One line of the conversation list. */
export interface Conversation {
  readonly id: string;
  readonly kind: ConversationKind;
  /** The other user of a 1:1, or oneself; absent until known, and in groups. */
  readonly peer?: User | undefined;
  readonly info: Info;
  /** How many are in it, as far as known. */
  readonly members: number;
  /** What this user may do in it; absent when unknown or no longer a member. */
  readonly role?: Role | undefined;
  /** The user is no longer a member: it can be read, nothing more. */
  readonly former: boolean;
  /** The highest seq known to exist. */
  readonly lastSeq: number;
  readonly unread: number;
  /** Those of the unread that mention the user. */
  readonly mentions: number;
  /** What is unread has an `ordinal` above this, whether the rest was read, answered, or before this user's time. */
  readonly floor: number;
  /** Up to where this user has read, on any device. */
  readonly read: number;
  /** Up to where a device of somebody else has everything. */
  readonly peerDelivered: number;
  /** Up to where somebody else has read. */
  readonly peerRead: number;
  /** Time of the last entry; 0 when unknown. */
  readonly lastTimeMs: number;
  readonly preferences: Preferences;
  /** A stranger began it and the user has not taken it up. */
  readonly request: boolean;
}

/** One member of a conversation, with cursors. */
export interface Member {
  readonly user: User;
  /** In a 1:1 `member`. */
  readonly role: Role;
  /** Seq of the entry that brought them in. */
  readonly joinedSeq: number;
  /** Up to where one of their devices has everything. */
  readonly delivered: number;
  readonly read: number;
  /** When the cursors last moved; 0 for never. */
  readonly deliveredMs: number;
  readonly readMs: number;
}

/** What a conversation is. */
export interface Description {
  readonly conversation: string;
  readonly kind: ConversationKind;
  /** In order of joining; for a former member, those who were in when they left. */
  readonly members: readonly Member[];
  readonly lastSeq: number;
  readonly info: Info;
  readonly settings: ConversationSettings;
  /** Seqs of the pinned messages, ascending. */
  readonly pinned: readonly number[];
  /** Entries up to here are not there for this user. */
  readonly firstAfter: number;
  readonly former: boolean;
  readonly createdMs: number;
}

/** How far a conversation lets notifications through. */
export type NotifyLevel = 'all' | 'mentions' | 'none';

/** What the user set for a conversation, the same on all their devices. */
export interface Preferences {
  /** Quiet until this moment; `Infinity` for ever, 0 not muted. */
  readonly mutedUntilMs: number;
  readonly archived: boolean;
  readonly pinned: boolean;
  readonly markedUnread: boolean;
  readonly level: NotifyLevel;
  /** A message not sent yet; empty for none. */
  readonly draft: string;
  readonly draftReplyTo?: number | undefined;
  /** The user cleared everything up to this seq for themselves. */
  readonly clearedUpTo: number;
  /** The user took up a conversation that a stranger began. */
  readonly accepted: boolean;
}

/** Somebody's cursors moved. */
export interface Receipt {
  readonly conversation: string;
  readonly user: string;
  readonly delivered: number;
  readonly read: number;
  readonly timeMs: number;
}

/** When a member got and read one message. */
export interface MemberReceipt {
  readonly user: User;
  readonly deliveredMs?: number | undefined;
  readonly readMs?: number | undefined;
}

/** An invite link that works. */
export interface Invite {
  /** Names it, 16 hex digits; not the secret. */
  readonly id: string;
  /** What is given to others; whoever has it can join. */
  readonly code: string;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs?: number | undefined;
  readonly maxUses?: number | undefined;
  readonly uses: number;
}

/** What an invite link leads to. */
export interface InvitePreview {
  readonly conversation: string;
  readonly info: Info;
  readonly members: number;
  /** The user is in it already. */
  readonly joined: boolean;
}

/** Which part of a conversation to read. Pages come in order of seq. */
export type Range =
  /** Entries above this seq; 0 for the beginning. */
  | { readonly type: 'after'; readonly seq: number }
  /** The newest entries below this seq. */
  | { readonly type: 'before'; readonly seq: number }
  /** Entries on both sides of this seq. */
  | { readonly type: 'around'; readonly seq: number }
  /** The newest entries. */
  | { readonly type: 'latest' }
  /** Entries on both sides of the first one at or after this moment. */
  | { readonly type: 'aroundTime'; readonly timeMs: number }
  /** The newest messages below this seq that mention the user, with gaps; `Infinity` for the newest of all. */
  | { readonly type: 'mentionsBefore'; readonly seq: number }
  /** All pinned messages, with gaps. */
  | { readonly type: 'pinned' }
  /** The edits of the message with this seq, with gaps. */
  | { readonly type: 'editsOf'; readonly seq: number };

/** A part of a conversation. Its messages are as they are now. */
export interface HistoryPage {
  readonly entries: readonly Entry[];
  /** The messages that messages in `entries` answer, as far as they lie elsewhere, by seq. */
  readonly quoted: readonly Message[];
  /** Nothing older exists for this reader than the first entry. */
  readonly atStart: boolean;
  /** Nothing newer existed than the last entry. */
  readonly atEnd: boolean;
  /** The highest seq of the conversation when this was read. */
  readonly lastSeq: number;
  /** Some reactions are missing, because there were too many. */
  readonly reactionsCut: boolean;
  /** It came from the cache. */
  readonly fromCache: boolean;
}

/** Whom the user lets see or do something. */
export type Audience = 'everyone' | 'contacts' | 'nobody';

/** What a user says about themselves. What this user may not see is empty. */
export interface Profile {
  readonly user: User;
  /** What they like to be called; empty: by the name. */
  readonly displayName: string;
  readonly about: string;
  /** Where the picture is; opaque to the server. */
  readonly picture: string;
  readonly phone: string;
  readonly email: string;
  /** The account was deleted. */
  readonly deleted: boolean;
}

/** How the account behaves towards others. */
export interface AccountSettings {
  /** Who sees whether the user is online and when last. Who hides sees it of nobody. */
  readonly presence: Audience;
  readonly phone: Audience;
  readonly email: Audience;
  readonly groupAdds: Audience;
  /** Whose first message comes without asking. */
  readonly messages: Audience;
  readonly readReceipts: boolean;
  readonly typing: boolean;
}

/** All of the user's own account data. */
export interface Account {
  /** Grows with every change. */
  readonly revision: number;
  readonly profile: Profile;
  readonly settings: AccountSettings;
  readonly contacts: readonly Profile[];
  readonly blocked: readonly Profile[];
}

/** Whether somebody is there. Who may not be seen is offline and was never seen. */
export interface Presence {
  readonly user: User;
  readonly online: boolean;
  readonly lastSeenMs?: number | undefined;
}

/** Somebody writes in a conversation, or stopped. It ends by itself. */
export interface Typing {
  readonly conversation: string;
  readonly user: User;
  readonly active: boolean;
}

/** One device of the account. */
export interface Device {
  readonly id: string;
  readonly name: string;
  readonly platform: string;
  readonly createdMs: number;
  /** To the minute; 0 when unknown. */
  readonly lastActiveMs: number;
  /** How many sessions it has open now. */
  readonly sessions: number;
  /** Whether it is the one that asks. */
  readonly current: boolean;
}
