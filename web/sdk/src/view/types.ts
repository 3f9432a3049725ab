/**
 * What the view models show: snapshots that never change once given, and
 * observables that tell the next one. Framework-free; `subscribe` follows the
 * contract of Svelte's stores, so `$timeline` works on them as they are.
 */

import type {
  Conversation,
  ErrorInfo,
  MemberReceipt,
  Message,
  Presence,
  User,
  What,
} from '../types.ts';

/** A value that changes. */
export interface Readable<T> {
  /** The value now. */
  get(): T;
  /** Calls `run` now and after every change, until the returned function is called. */
  subscribe(run: (value: T) => void): () => void;
}

/** How far an own message is. */
export type Progress = 'queued' | 'sending' | 'failed' | 'sent' | 'delivered' | 'read';

/** What a message answers. */
export interface Quote {
  /** Where it is: jump there. */
  readonly seq: number;
  /** As it is now; absent until known, and when it is gone for this reader. */
  readonly message?: Message | undefined;
}

/** A message: one bubble. */
export interface MessageRow {
  readonly kind: 'message';
  /** Stable from the moment of sending on, also when the server has committed it. */
  readonly key: string;
  /** 0 until committed. */
  readonly seq: number;
  /** As it is now, own changes that are still on their way included. */
  readonly message: Message;
  readonly quote?: Quote | undefined;
  /** Own messages only. In a group `read` when all others have read it, as far as they let know. */
  readonly progress?: Progress | undefined;
  /** Names the send while it is not committed: for retry, discard, abort. */
  readonly localId?: number | undefined;
  /** Why it failed. */
  readonly error?: ErrorInfo | undefined;
  /** Own messages in groups: how many others read it, as far as they let know. */
  readonly readBy: number;
  /** An own edit, deletion, reaction or pin of it is on its way. */
  readonly changing: boolean;
  /** First and last of a run of the same sender, close in time. */
  readonly groupStart: boolean;
  readonly groupEnd: boolean;
}

/** Who is in, or how the conversation works, changed; or something was pinned. */
export interface SystemRow {
  readonly kind: 'system';
  readonly key: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly sender: User;
  readonly own: boolean;
  readonly what: SystemEvent;
}

/** What a {@link SystemRow} says. */
export type SystemEvent = What | { readonly type: 'pinned'; readonly target: number };

/** An entry of a kind this build doesn't know. */
export interface UnknownRow {
  readonly kind: 'unknown';
  readonly key: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly sender: User;
  readonly own: boolean;
}

/** An entry that the server can't read any more: its disk lost it. */
export interface DamagedRow {
  readonly kind: 'damaged';
  readonly key: string;
  readonly seq: number;
}

/** A new day begins, in the reader's time zone. */
export interface DayRow {
  readonly kind: 'day';
  readonly key: string;
  /** A moment of that day. */
  readonly timeMs: number;
}

/** What follows was unread when the conversation was opened. */
export interface UnreadRow {
  readonly kind: 'unread';
  readonly key: string;
  readonly count: number;
}

/** Something is missing here. Ask {@link TimelineView.fillGap} when it comes into sight. */
export interface GapRow {
  readonly kind: 'gap';
  readonly key: string;
  /** The seqs around it. */
  readonly after: number;
  readonly before: number;
  readonly loading: boolean;
  readonly failed: boolean;
}

export type Row = MessageRow | SystemRow | UnknownRow | DamagedRow | DayRow | UnreadRow | GapRow;

export interface TimelineSnapshot {
  /** Oldest first. A row that did not change is the same object as before. */
  readonly rows: readonly Row[];
  /**
   * - `opening`: nothing to show yet.
   * - `cached`: shown from the cache, the server has not answered yet.
   * - `live`: as the server has it.
   * - `failed`: there is nothing to show and the server refused; see `error`.
   */
  readonly phase: 'opening' | 'cached' | 'live' | 'failed';
  readonly error?: ErrorInfo | undefined;
  /** Nothing older exists for this reader. */
  readonly atStart: boolean;
  /** The newest is held: what comes is shown at the end. Otherwise load newer. */
  readonly atEnd: boolean;
  readonly loadingOlder: boolean;
  readonly loadingNewer: boolean;
  /** The row to open at: the unread line, or nothing for the end. */
  readonly openAt?: string | undefined;
  /** Messages of others that came after the conversation was opened or last {@link TimelineView.sawEnd}. */
  readonly newBelow: number;
  /** The highest seq known to exist. */
  readonly lastSeq: number;
}

/** One conversation as it is read. Close it when it is left. */
export interface TimelineView extends Readable<TimelineSnapshot> {
  readonly conversation: string;
  /** Loads what is before the first row. Nothing happens while it loads, or at the start. */
  loadOlder(): Promise<void>;
  /** Loads what is after the last row held. */
  loadNewer(): Promise<void>;
  /** Loads a page of what a gap row stands for, next to where the reader comes from: below unless said. */
  fillGap(key: string, side?: 'above' | 'below'): Promise<void>;
  /** Makes sure that this message is there. Returns its row's key, or nothing when it is gone. */
  jumpTo(seq: number): Promise<string | undefined>;
  /** The first row at or after a moment. */
  jumpToTime(timeMs: number): Promise<string | undefined>;
  /** Makes sure that the newest is there. Returns the last row's key. */
  toEnd(): Promise<string | undefined>;
  /** The reader is at the end: {@link TimelineSnapshot.newBelow} begins again. */
  sawEnd(): void;
  /** The reader saw everything up to here, long enough: says so to the server. */
  markRead(seq: number): void;
  /** Takes the unread line off. */
  resetUnreadLine(): void;
  /** Sends a failed message again. */
  retry(localId: number): Promise<void>;
  retryAll(): Promise<void>;
  /** Takes back what has not left, or puts away what failed. False when it may have arrived. */
  discard(localId: number): Promise<boolean>;
  /** Those who have a message, and since when. */
  receipts(seq: number): Promise<readonly MemberReceipt[]>;
  close(): void;
}

/** The last thing that happened, for a line of the list. */
export interface Preview {
  readonly seq: number;
  readonly timeMs: number;
  readonly sender: User;
  readonly own: boolean;
  /** One line, cut; empty for what is not a text. */
  readonly text: string;
  readonly what: 'message' | 'deleted' | 'system' | 'unknown';
  /** With `what` system. */
  readonly event?: SystemEvent | undefined;
  readonly progress?: Progress | undefined;
}

/** One line of the conversation list. */
export interface ConversationRow {
  readonly id: string;
  readonly kind: 'direct' | 'group';
  /** The other one of a 1:1; oneself in a conversation with oneself. */
  readonly peer?: User | undefined;
  /** All that is known of it. */
  readonly conversation: Conversation;
  /** A group's title; empty in a 1:1. */
  readonly title: string;
  readonly picture: string;
  readonly unread: number;
  readonly mentions: number;
  readonly markedUnread: boolean;
  /** At this moment. */
  readonly muted: boolean;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly request: boolean;
  readonly former: boolean;
  /** A message not sent yet; empty for none. */
  readonly draft: string;
  readonly preview?: Preview | undefined;
  /** Of the last activity; orders the list. */
  readonly timeMs: number;
  /** Who writes there now. */
  readonly typing: readonly User[];
  /** Sends that wait or failed. */
  readonly pending: number;
  readonly failed: number;
  /** The user cleared it, and nothing was said since. Then it is in the list only while they are in the group. */
  readonly cleared: boolean;
}

export interface ConversationListSnapshot {
  /** False until the first answer of cache or server. */
  readonly loaded: boolean;
  /** Pinned first, then by activity. Neither archived nor requests. */
  readonly active: readonly ConversationRow[];
  readonly archived: readonly ConversationRow[];
  readonly requests: readonly ConversationRow[];
  /** Unread messages of active conversations that are not muted, and conversations marked unread. */
  readonly unread: number;
  readonly mentions: number;
}

export interface ConversationListView extends Readable<ConversationListSnapshot> {
  /** One line; undefined when there is none. */
  row(conversation: string): Readable<ConversationRow | undefined>;
  close(): void;
}

/** Who is there, for those that are watched. */
export interface PresenceView {
  /** Watches somebody while somebody is subscribed. */
  of(user: string): Readable<Presence | undefined>;
  close(): void;
}

/** Who writes. */
export interface TypingView {
  in(conversation: string): Readable<readonly User[]>;
  close(): void;
}
