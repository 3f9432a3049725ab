/**
 * What the core hands to a store, and asks of it. `@parley/client/cache` has the
 * one for browsers; without a store everything lives in memory.
 *
 * All of it is structured-clonable.
 */

import type { Action, To } from './actions.ts';
import type { ErrorInfo } from './error.ts';
import type { Description, Preferences, Range, User } from './model.ts';

/** An entry's bytes as the server gave them, with what a store needs to file them. */
export interface StoredEntry {
  readonly seq: number;
  /** A number of `EntryKind`. */
  readonly kind: number;
  /** Seq of the message that an edit, deletion, reaction or pin is about. */
  readonly target?: number | undefined;
  readonly timeMs: number;
  /** Its author; unknown in rows of an older version. */
  readonly sender?: string | undefined;
  /** The encoded `Entry`. */
  readonly bytes: Uint8Array;
  /** Stands for one that the server can't read: takes no other one's place. */
  readonly damaged?: boolean | undefined;
}

/** One send that waits, or that was refused and waits for the user. */
export interface StoredItem {
  readonly localId: number;
  readonly to: To;
  /** Its name on the wire, hex. */
  readonly clientMessageId: string;
  /** What it does, for showing it. */
  readonly action: Action;
  /** What is sent, the same bytes each time: the entry's kind and encoded body. */
  readonly kind: number;
  readonly body: Uint8Array;
  /** When it was queued, by the device's clock. */
  readonly queuedMs: number;
  /** Set once the server refused it for good. */
  readonly error?: ErrorInfo | undefined;
}

/** Whose store it is. */
export interface StoredAccount {
  readonly user: User;
  readonly device: string;
  /** Revision of the account's own data, as last heard of. */
  readonly revision: number;
  /** Which life of the server's store all this is of, hex, once the server said so. */
  readonly incarnation?: string | undefined;
}

/** What is unread in a conversation. */
export interface StoredCount {
  readonly unread: number;
  readonly mentions: number;
  /** Up to which seq is counted. */
  readonly upTo: number;
  readonly ordinal: number;
  readonly floor: number;
  /** Version of the feed entry it comes from. */
  readonly version: number;
  readonly doubtful: boolean;
}

/** From when on a conversation's messages expire, and how soon. */
export interface Period {
  /** It counts for entries after this one. */
  readonly after: number;
  /** Who set it. */
  readonly by: string;
  /** 0 for never. */
  readonly retentionS: number;
}

/** A conversation's position and what is known of it. Opaque but for its id. */
export interface StoredConversation {
  readonly id: string;
  /** Everything up to this seq was emitted. */
  readonly held: number;
  /** The highest seq known to exist. */
  readonly last: number;
  /** Up to where the server has our acknowledgement, and where one is wanted. */
  readonly confirmed: number;
  readonly wanted: number;
  readonly read: number;
  readonly readWanted: number;
  readonly count: StoredCount;
  readonly lastTimeMs: number;
  /** Who is in it as of its `lastSeq`, when known. */
  readonly roster?: Description | undefined;
  readonly preferences: Preferences;
  readonly request: boolean;
  /** How many hidden messages are known. */
  readonly hidden: number;
  /** What is known of its retention, by `after`. */
  readonly periods?: readonly Period[] | undefined;
  /** What tells the entry at `held` from others. */
  readonly mark?: string | undefined;
}

/** What an earlier run left. */
export interface Saved {
  readonly account?: StoredAccount | undefined;
  readonly feedPosition: number;
  readonly conversations: readonly StoredConversation[];
  readonly outbox: readonly StoredItem[];
  /** The highest local id ever given. */
  readonly lastLocalId: number;
  /** Names of people met. */
  readonly users: readonly User[];
}

/** A change a store has to keep. */
export type Save =
  /** A new or refused outbox item, in place of the one with its local id. Durable before anybody hears of it. */
  | { readonly type: 'queued'; readonly item: StoredItem }
  /** All that came from the server goes, of a conversation or of all. The outbox stays. */
  | { readonly type: 'reset'; readonly conversation?: string | undefined }
  /** An outbox item that is committed or given up. */
  | { readonly type: 'done'; readonly localId: number }
  | { readonly type: 'conversation'; readonly conversation: StoredConversation }
  /** The feed position; only after the conversations it speaks of. */
  | { readonly type: 'feed'; readonly position: number }
  | { readonly type: 'account'; readonly account: StoredAccount }
  | { readonly type: 'user'; readonly user: User }
  /** An entry for offline reading. One that deletes takes its message's text along. */
  | { readonly type: 'entry'; readonly conversation: string; readonly entry: StoredEntry }
  /** Something known about entries that lies elsewhere in the log. */
  | { readonly type: 'related'; readonly conversation: string; readonly entry: StoredEntry }
  /** The user hid these messages: their texts go. */
  | { readonly type: 'hidden'; readonly conversation: string; readonly seqs: readonly number[] }
  /** Nothing up to this seq is there any more. */
  | { readonly type: 'cleared'; readonly conversation: string; readonly upTo: number }
  /** The texts of messages go that are too old by now, the server's clock. */
  | { readonly type: 'expired'; readonly conversation: string; readonly nowMs: number };

/** A part of a conversation out of a store. */
export interface StoredPage {
  /** Ascending, without gaps unless the range has them. */
  readonly entries: readonly StoredEntry[];
  /** What is known about them and lies elsewhere: edits, deletions, reactions, pins, answered messages. */
  readonly related: readonly StoredEntry[];
  readonly atStart: boolean;
  readonly atEnd: boolean;
}

/** Keeps what a client must not lose, and what makes it quick. */
export interface Store {
  /** Called once, before anything else. */
  load(): Promise<Saved>;
  /** Keeps all of it or none; calls don't overlap. */
  commit(saves: readonly Save[]): Promise<void>;
  /** `undefined` when it holds nothing of that. */
  cached(conversation: string, range: Range, limit: number): Promise<StoredPage | undefined>;
  /** Forgets everything: the user signed out. */
  wipe(): Promise<void>;
  close(): void;
}
