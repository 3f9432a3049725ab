/** From an action to what travels: an entry's kind and body, and the name of its send, checked. */

import type { Action, To } from './actions.ts';
import { encode, type Init, type Schema } from './codec.ts';
import { DEFAULT_SETTINGS, mentionsToWire, roleToWire, settingsToWire } from './convert.ts';
import { fromName, ParleyError, problem } from './error.ts';
import * as wire from './gen/wire.ts';
import { fromHex, toHex, uuidBytes } from './ids.ts';
import type { Mention } from './model.ts';

/** Bounds that hold on every server; its own limit of a text can only be lower. */
const TEXT_CHARS = 100_000;
const MENTIONS = 100;
const EMOJI_BYTES = 64;
const TITLE_CHARS = 128;

interface Packed {
  readonly kind: number;
  readonly body: Uint8Array;
}

/** An action with what is sent for it. */
export interface Composed extends Packed {
  readonly action: Action;
}

/** The kind and the body of the entry; throws where no server could take it. */
export function compose(to: To, action: Action): Composed {
  const makes = action.type === 'createGroup';
  const joins = action.type === 'join';
  if (makes !== (to.type === 'newGroup') || joins !== (to.type === 'invite')) {
    const text = 'making a group and joining one have targets of their own';
    throw new ParleyError(problem('invalidArgument', text));
  }
  check(action);
  try {
    return { action, ...pack(action) };
  } catch (error) {
    // An id that is none.
    if (error instanceof TypeError) {
      throw new ParleyError(problem('invalidArgument', error.message));
    }
    throw error;
  }
}

/** The name of a send on the wire: the given one, checked, or a new one. */
export function messageId(given?: string): string {
  if (given === undefined) return toHex(crypto.getRandomValues(new Uint8Array(16)));
  const length = fromHex(given)?.length ?? 0;
  if (length < 1 || length > 64) {
    const text = 'a client message id is 2 to 128 hex digits';
    throw new ParleyError(problem('invalidArgument', text));
  }
  return given.toLowerCase();
}

function refuse(name: Parameters<typeof fromName>[0]): never {
  throw new ParleyError(fromName(name));
}

/** Characters are Unicode scalar values; a text has at least half as many as UTF-16 units. */
function isLonger(text: string, most: number): boolean {
  return text.length > most && [...text].length > most;
}

function check(action: Action): void {
  switch (action.type) {
    case 'text':
    case 'edit':
      if (action.text === '') refuse('text_empty');
      if (isLonger(action.text, TEXT_CHARS)) refuse('text_too_long');
      checkMentions(action.text, action.mentions ?? []);
      break;
    case 'react': {
      const bytes = new TextEncoder().encode(action.emoji).length;
      if (bytes === 0 || bytes > EMOJI_BYTES) refuse('bad_request');
      break;
    }
    case 'createGroup':
      checkTitle(action.title);
      break;
    case 'changeConversation':
      if (action.title !== undefined) checkTitle(action.title);
  }
}

function checkTitle(title: string): void {
  if (title === '' || isLonger(title, TITLE_CHARS)) refuse('bad_request');
}

function checkMentions(text: string, mentions: readonly Mention[]): void {
  if (mentions.length > MENTIONS) refuse('bad_request');
  if (mentions.length === 0) return;
  const chars = [...text].length;
  let end = 0;
  for (const { start, length } of mentions) {
    if (!(length > 0) || start < end || start + length > chars) refuse('bad_request');
    end = start + length;
  }
}

function entry<T>(kind: number, schema: Schema<T>, message: Init<T>): Packed {
  return { kind, body: encode(schema, message) };
}

/** Of an action, what isn't a field of the body is passed over. */
function pack(action: Action): Packed {
  switch (action.type) {
    case 'text': {
      const mentions = mentionsToWire(action.mentions);
      return entry(wire.EntryKind.TEXT, wire.Text, { ...action, mentions });
    }
    case 'edit': {
      const mentions = mentionsToWire(action.mentions);
      return entry(wire.EntryKind.EDIT, wire.Edit, { ...action, mentions });
    }
    case 'delete':
      return entry(wire.EntryKind.DELETE, wire.Delete, action);
    case 'react':
      return entry(wire.EntryKind.REACTION, wire.Reaction, action);
    case 'pin':
      return entry(wire.EntryKind.PIN, wire.Pin, action);
    case 'createGroup':
      return entry(wire.EntryKind.GROUP_CREATED, wire.GroupCreated, {
        info: action,
        settings: settingsToWire({ ...DEFAULT_SETTINGS, ...action.settings }),
        members: action.members?.map(uuidBytes) ?? [],
      });
    case 'changeConversation': {
      const settings = action.settings && settingsToWire(action.settings);
      return entry(wire.EntryKind.CONVERSATION_CHANGED, wire.ConversationChanged, {
        ...action,
        settings,
      });
    }
    case 'addMembers': {
      const users = action.users.map(uuidBytes);
      return entry(wire.EntryKind.MEMBERS_ADDED, wire.MembersAdded, { users });
    }
    case 'removeMember':
    case 'banMember': {
      const body = { user: uuidBytes(action.user), ban: action.type === 'banMember' };
      return entry(wire.EntryKind.MEMBER_REMOVED, wire.MemberRemoved, body);
    }
    case 'unbanMember':
      return entry(wire.EntryKind.MEMBER_UNBANNED, wire.MemberUnbanned, {
        user: uuidBytes(action.user),
      });
    case 'leave':
      return entry(wire.EntryKind.MEMBER_LEFT, wire.MemberLeft, {});
    case 'setRole': {
      const body = { user: uuidBytes(action.user), role: roleToWire(action.role) };
      return entry(wire.EntryKind.ROLE_CHANGED, wire.RoleChanged, body);
    }
    case 'join':
      // The server fills in by which link.
      return { kind: wire.EntryKind.MEMBER_JOINED, body: new Uint8Array(0) };
    case 'eraseHistory':
      return entry(wire.EntryKind.HISTORY_ERASED, wire.HistoryErased, action);
  }
}
