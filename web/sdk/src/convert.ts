/** Between the wire's words and the model's, for everything but entries. */

import type { AccountSettingsChange, PreferencesChange } from './actions.ts';
import { decode, type Init } from './codec.ts';
import * as wire from './gen/wire.ts';
import { Malformed, toHex, uuid, uuidBytes } from './ids.ts';
import type {
  Account,
  Audience,
  ConversationSettings,
  Description,
  Info,
  Invite,
  InvitePreview,
  Mention,
  NotifyLevel,
  Preferences,
  Presence,
  Profile,
  Role,
  User,
  Who,
} from './model.ts';

/** Somebody whose name is not known is called by the id. */
export function nameless(id: string): User {
  return { id, name: id };
}

const ROLES: readonly Role[] = ['member', 'member', 'admin', 'owner'];
const LEVELS: readonly NotifyLevel[] = ['all', 'all', 'mentions', 'none'];
const AUDIENCES: readonly (Audience | undefined)[] = [undefined, 'everyone', 'contacts', 'nobody'];
const WHO: readonly (Who | undefined)[] = [undefined, 'members', 'admins'];

/** The role a number means. One of a newer server may do no more than a member. */
export function roleOf(number: number): Role {
  return ROLES[number] ?? 'member';
}

export function roleToWire(role: Role): number {
  return ROLES.lastIndexOf(role);
}

export function infoOf(info: wire.GroupInfo | undefined): Info {
  const { title = '', description = '', picture = '' } = info ?? {};
  return { title, description, picture };
}

export const DEFAULT_SETTINGS: ConversationSettings = {
  send: 'members',
  add: 'admins',
  editInfo: 'admins',
  historyForNewcomers: false,
  retentionS: 0,
};

export function settingsOf(settings: wire.ConversationSettings | undefined): ConversationSettings {
  const first = DEFAULT_SETTINGS;
  if (!settings) return first;
  return {
    ...settings,
    send: WHO[settings.send] ?? first.send,
    add: WHO[settings.add] ?? first.add,
    editInfo: WHO[settings.editInfo] ?? first.editInfo,
  };
}

export function settingsToWire(settings: ConversationSettings): wire.ConversationSettings {
  const { send, add, editInfo } = settings;
  const who = (given: Who) => WHO.indexOf(given);
  return { ...settings, send: who(send), add: who(add), editInfo: who(editInfo) };
}

export function mentionsOf(mentions: readonly wire.Mention[]): Mention[] {
  const list: Mention[] = [];
  for (const { start, length, who } of mentions) {
    if (who?.case === 'user' && who.value.length === 16) {
      list.push({ start, length, who: { type: 'user', user: uuid(who.value) } });
    } else if (who?.case === 'everyone' && who.value) {
      list.push({ start, length, who: { type: 'everyone' } });
    }
  }
  return list;
}

export function mentionsToWire(mentions: readonly Mention[] = []): wire.Mention[] {
  return mentions.map(({ start, length, who }) => ({
    start,
    length,
    who:
      who.type === 'user'
        ? { case: 'user', value: uuidBytes(who.user) }
        : { case: 'everyone', value: true },
  }));
}

export function descriptionOf(described: wire.Described): Description {
  return {
    ...described,
    conversation: uuid(described.conversation),
    kind: described.kind === wire.ConversationKind.GROUP ? 'group' : 'direct',
    members: described.members.map(({ user, name, ...member }) => ({
      ...member,
      user: userOf(user, name),
      role: roleOf(member.role),
    })),
    info: infoOf(described.info),
    settings: settingsOf(described.settings),
  };
}

/** A user; one without a name is called by the id. */
function userOf(bytes: Uint8Array, name: string): User {
  const id = uuid(bytes);
  return { id, name: name || id };
}

const NO_PREFERENCES = decode(wire.Preferences, new Uint8Array(0));

export function preferencesOf(given = NO_PREFERENCES): Preferences {
  const { mutedUntilMs, level, draftReplyTo } = given;
  return {
    ...given,
    // 2^64 - 1 as the wire has it is for ever.
    mutedUntilMs: mutedUntilMs >= 2 ** 53 ? Number.POSITIVE_INFINITY : mutedUntilMs,
    level: LEVELS[level] ?? 'all',
    draftReplyTo: draftReplyTo || undefined,
  };
}

export function preferencesToWire(
  conversation: string,
  change: PreferencesChange,
): Init<wire.SetPreferences> {
  const level = change.level && LEVELS.lastIndexOf(change.level);
  return { ...change, conversation: uuidBytes(conversation), level };
}

export function inviteOf(link: wire.InviteLink): Invite {
  return {
    ...link,
    id: toHex(link.id),
    createdBy: uuid(link.createdBy),
    expiresMs: link.expiresMs || undefined,
    maxUses: link.maxUses || undefined,
  };
}

export function previewOf(preview: wire.InvitePreview): InvitePreview {
  return { ...preview, conversation: uuid(preview.conversation), info: infoOf(preview.info) };
}

export function profileOf({ user, name, ...profile }: wire.Profile): Profile {
  return { ...profile, user: userOf(user, name) };
}

export function accountOf(state: wire.AccountState): Account {
  const { settings } = state;
  if (!state.profile) throw new Malformed('an account has a profile');
  const audience = (number = 0, first: Audience) => AUDIENCES[number] ?? first;
  return {
    revision: state.revision,
    profile: profileOf(state.profile),
    settings: {
      presence: audience(settings?.presence, 'everyone'),
      phone: audience(settings?.phone, 'contacts'),
      email: audience(settings?.email, 'contacts'),
      groupAdds: audience(settings?.groupAdds, 'everyone'),
      messages: audience(settings?.messages, 'everyone'),
      readReceipts: settings?.readReceipts ?? true,
      typing: settings?.typing ?? true,
    },
    contacts: state.contacts.map(profileOf),
    blocked: state.blocked.map(profileOf),
  };
}

export function settingsChangeToWire(change: AccountSettingsChange): Init<wire.AccountSettings> {
  const wired = Object.entries(change).map(([key, value]) => [
    key,
    typeof value === 'string' ? AUDIENCES.indexOf(value) : value,
  ]);
  return Object.fromEntries(wired);
}

/** How somebody is now. */
export function presenceOf(presence: wire.Presence, name: (id: string) => User): Presence {
  return {
    user: name(uuid(presence.user)),
    online: presence.online,
    lastSeenMs: presence.lastSeenMs || undefined,
  };
}
