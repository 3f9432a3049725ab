/** Entries as they come, and as the application sees them. */

import { decode, encode, type Schema } from './codec.ts';
import { infoOf, mentionsOf, roleOf, settingsOf } from './convert.ts';
import * as wire from './gen/wire.ts';
import { uuid } from './ids.ts';
import type { Entry, Mention, Message, Origin, User, What } from './model.ts';
import type { StoredEntry } from './store.ts';

/** Nobody we could name: an author the server did not set. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** An entry as it came. */
export interface Raw {
  readonly seq: number;
  readonly ordinal: number;
  readonly timeMs: number;
  readonly sender: string;
  readonly kind: number;
  readonly body: Uint8Array;
  readonly erased: boolean;
  readonly damaged: boolean;
  readonly bytes: Uint8Array;
}

/** The entry in `bytes`; `undefined` when they hold none. */
export function rawEntry(bytes: Uint8Array): Raw | undefined {
  try {
    const { epoch: _, ...entry } = decode(wire.Entry, bytes);
    const sender = entry.sender.length === 16 ? uuid(entry.sender) : NOBODY;
    return entry.seq > 0 && Number.isSafeInteger(entry.seq)
      ? { ...entry, sender, bytes }
      : undefined;
  } catch {
    return undefined;
  }
}

/** As {@link rawEntry}, for many; what can't be read is left out. */
export function rawEntries(list: readonly Uint8Array[]): Raw[] {
  return list.map(rawEntry).filter((entry) => entry !== undefined);
}

/** An entry as a store keeps it. */
export function stored(entry: Raw): StoredEntry {
  const { seq, kind, timeMs, sender, bytes, damaged } = entry;
  return { seq, kind, target: target(entry), timeMs, sender, bytes, damaged };
}

/** The bytes of an entry of our own, before the server gave it back to us. */
export function entryBytes(entry: wire.Entry): Uint8Array {
  return encode(wire.Entry, entry);
}

function body<T>(schema: Schema<T>, entry: Raw): T | undefined {
  try {
    return decode(schema, entry.body);
  } catch {
    return undefined;
  }
}

/** Seq of the message an edit, deletion, reaction or pin is about. */
function target(entry: Raw): number | undefined {
  switch (entry.kind) {
    case wire.EntryKind.EDIT:
    case wire.EntryKind.DELETE:
    case wire.EntryKind.REACTION:
    case wire.EntryKind.PIN:
      // All four begin with it.
      return body(wire.Pin, entry)?.seq || undefined;
    default:
      return undefined;
  }
}

function named(entry: Raw): readonly (Uint8Array | undefined)[] {
  switch (entry.kind) {
    case wire.EntryKind.GROUP_CREATED:
      return body(wire.GroupCreated, entry)?.members ?? [];
    case wire.EntryKind.MEMBERS_ADDED:
      return body(wire.MembersAdded, entry)?.users ?? [];
    case wire.EntryKind.MEMBER_REMOVED:
    case wire.EntryKind.MEMBER_UNBANNED:
    case wire.EntryKind.ROLE_CHANGED:
      // All three begin with whom they are about.
      return [body(wire.MemberUnbanned, entry)?.user];
    default:
      return [];
  }
}

/** The users whose names are needed to show an entry. */
export function people(entry: Raw): string[] {
  if (entry.damaged) return [];
  const ids = named(entry).filter((id) => id?.length === 16);
  return [...new Set([entry.sender, ...ids.map((id) => uuid(id as Uint8Array))])];
}

/** What is needed to read what an entry means. */
export interface Reader {
  readonly conversation: string;
  readonly me: string | undefined;
  /** The user with this id; called by the id when the name is not known. */
  name(user: string): User;
  /** When a message is too old to be shown. */
  expiresMs(entry: Raw): number | undefined;
}

/** What an entry says; one whose body can't be read is passed on as it came. */
export function readEntry(reader: Reader, entry: Raw): Entry {
  const origin: Origin = {
    conversation: reader.conversation,
    seq: entry.seq,
    sender: reader.name(entry.sender),
    timeMs: entry.timeMs,
    own: entry.sender === reader.me,
  };
  if (entry.damaged) return { ...origin, type: 'damaged' };
  let read: Entry | undefined;
  try {
    if (entry.kind === wire.EntryKind.TEXT) read = message(reader, entry, origin);
    else if (entry.erased && wire.EntryKind.KNOWN.includes(entry.kind)) {
      read = { ...origin, type: 'erased', kind: entry.kind };
    } else read = action(reader, entry, origin);
  } catch {
    // Malformed: passed on below.
  }
  return read ?? { ...origin, type: 'unknown', kind: entry.kind, body: entry.body };
}

function message(reader: Reader, entry: Raw, origin: Origin): Message {
  const text = decode(wire.Text, entry.body);
  const mentions = mentionsOf(text.mentions);
  return {
    ...origin,
    type: 'message',
    ordinal: entry.ordinal,
    text: text.text,
    replyTo: text.replyTo || undefined,
    mentions,
    mentionsMe: namesMe(mentions, reader.me),
    forwarded: text.forwarded,
    edited: undefined,
    deleted: entry.erased,
    pinned: false,
    reactions: [],
    expiresMs: reader.expiresMs(entry),
  };
}

function namesMe(mentions: readonly Mention[], me: string | undefined): boolean {
  return mentions.some(({ who }) => who.type === 'everyone' || who.user === me);
}

/** Everything but messages. */
function action(reader: Reader, entry: Raw, origin: Origin): Entry | undefined {
  switch (entry.kind) {
    case wire.EntryKind.EDIT: {
      const { seq, text, mentions } = decode(wire.Edit, entry.body);
      return { ...origin, type: 'edit', target: seq, text, mentions: mentionsOf(mentions) };
    }
    case wire.EntryKind.DELETE: {
      const { seq, ordinal } = decode(wire.Delete, entry.body);
      return { ...origin, type: 'deletion', target: seq, targetOrdinal: ordinal };
    }
    case wire.EntryKind.REACTION: {
      const { seq, emoji, removed } = decode(wire.Reaction, entry.body);
      return { ...origin, type: 'reaction', target: seq, emoji, removed };
    }
    case wire.EntryKind.PIN: {
      const { seq, removed } = decode(wire.Pin, entry.body);
      return { ...origin, type: 'pin', target: seq, removed };
    }
    default: {
      const what = change(reader, entry);
      return what && { ...origin, type: 'change', what };
    }
  }
}

function change(reader: Reader, entry: Raw): What | undefined {
  const user = (id: Uint8Array) => reader.name(uuid(id));
  switch (entry.kind) {
    case wire.EntryKind.GROUP_CREATED: {
      const created = decode(wire.GroupCreated, entry.body);
      return {
        type: 'created',
        info: infoOf(created.info),
        settings: settingsOf(created.settings),
        members: created.members.map(user),
      };
    }
    case wire.EntryKind.CONVERSATION_CHANGED: {
      const { settings, ...info } = decode(wire.ConversationChanged, entry.body);
      return { type: 'changed', ...info, settings: settings && settingsOf(settings) };
    }
    case wire.EntryKind.MEMBERS_ADDED:
      return { type: 'added', users: decode(wire.MembersAdded, entry.body).users.map(user) };
    case wire.EntryKind.MEMBER_REMOVED: {
      const removed = decode(wire.MemberRemoved, entry.body);
      return { type: 'removed', user: user(removed.user), ban: removed.ban };
    }
    case wire.EntryKind.MEMBER_UNBANNED:
      return { type: 'unbanned', user: user(decode(wire.MemberUnbanned, entry.body).user) };
    case wire.EntryKind.MEMBER_LEFT:
      return { type: 'left' };
    case wire.EntryKind.ROLE_CHANGED: {
      const changed = decode(wire.RoleChanged, entry.body);
      return { type: 'role', user: user(changed.user), role: roleOf(changed.role) };
    }
    case wire.EntryKind.MEMBER_JOINED:
      return { type: 'joined' };
    case wire.EntryKind.HISTORY_ERASED:
      return { type: 'erased', upTo: decode(wire.HistoryErased, entry.body).upTo };
    default:
      return undefined;
  }
}

/** A part of a conversation, as it came. */
export interface Page {
  readonly entries: readonly Raw[];
  readonly related: readonly Raw[];
  readonly atStart: boolean;
  readonly atEnd: boolean;
  readonly lastSeq: number;
  readonly relatedCut: boolean;
  readonly fromCache: boolean;
}
