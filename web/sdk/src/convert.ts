/** Between the wire's words and the model's, for everything but entries. */

import type { AccountSettingsChange, PreferencesChange } from './actions.ts';
import type { Init } from './codec.ts';
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
  return {
    send: WHO[settings?.send ?? 0] ?? first.send,
    add: WHO[settings?.add ?? 0] ?? first.add,
    editInfo: WHO[settings?.editInfo ?? 0] ?? first.editInfo,
    historyForNewcomers: settings?.historyForNewcomers ?? false,
    retentionS: settings?.retentionS ?? 0,
  };
}

export function settingsToWire(settings: ConversationSettings): wire.ConversationSettings {
  return {
    send: WHO.indexOf(settings.send),
    add: WHO.indexOf(settings.add),
    editInfo: WHO.indexOf(settings.editInfo),
    historyForNewcomers: settings.historyForNewcomers,
    retentionS: settings.retentionS,
  };
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
    conversation: uuid(described.conversation),
    kind: described.kind === wire.ConversationKind.GROUP ? 'group' : 'direct',
    members: described.members.map((member) => {
      const id = uuid(member.user);
      return {
        user: { id, name: member.name || id },
        role: roleOf(member.role),
        joinedSeq: member.joinedSeq,
        delivered: member.delivered,
        read: member.read,
        deliveredMs: member.deliveredMs,
        readMs: member.readMs,
      };
    }),
    lastSeq: described.lastSeq,
    info: infoOf(described.info),
    settings: settingsOf(described.settings),
    pinned: described.pinned,
    firstAfter: described.firstAfter,
    former: described.former,
    createdMs: described.createdMs,
  };
}

/** 2^64 - 1 as the wire has it is for ever. */
function forever(ms: number): number {
  return ms >= 2 ** 53 ? Number.POSITIVE_INFINITY : ms;
}

export function preferencesOf(given: wire.Preferences | undefined): Preferences {
  return {
    mutedUntilMs: forever(given?.mutedUntilMs ?? 0),
    archived: given?.archived ?? false,
    pinned: given?.pinned ?? false,
    markedUnread: given?.markedUnread ?? false,
    level: LEVELS[given?.level ?? 0] ?? 'all',
    draft: given?.draft ?? '',
    draftReplyTo: given?.draftReplyTo || undefined,
    clearedUpTo: given?.clearedUpTo ?? 0,
    accepted: given?.accepted ?? false,
  };
}

export function preferencesToWire(
  conversation: string,
  change: PreferencesChange,
): Init<wire.SetPreferences> {
  const { level, ...rest } = change;
  return {
    ...rest,
    conversation: uuidBytes(conversation),
    level: level && LEVELS.lastIndexOf(level),
  };
}

export function inviteOf(link: wire.InviteLink): Invite {
  return {
    id: toHex(link.id),
    code: link.code,
    createdBy: uuid(link.createdBy),
    createdMs: link.createdMs,
    expiresMs: link.expiresMs || undefined,
    maxUses: link.maxUses || undefined,
    uses: link.uses,
  };
}

export function previewOf(preview: wire.InvitePreview): InvitePreview {
  return {
    conversation: uuid(preview.conversation),
    info: infoOf(preview.info),
    members: preview.members,
    joined: preview.joined,
  };
}

export function profileOf(profile: wire.Profile): Profile {
  const id = uuid(profile.user);
  const { displayName, about, picture, phone, email, deleted } = profile;
  const user = { id, name: profile.name || id };
  return { user, displayName, about, picture, phone, email, deleted };
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
  const audience = (given: Audience | undefined) => (given ? AUDIENCES.indexOf(given) : 0);
  return {
    presence: audience(change.presence),
    phone: audience(change.phone),
    email: audience(change.email),
    groupAdds: audience(change.groupAdds),
    messages: audience(change.messages),
    readReceipts: change.readReceipts,
    typing: change.typing,
  };
}

/** How somebody is now. */
export function presenceOf(presence: wire.Presence, name: (id: string) => User): Presence {
  return {
    user: name(uuid(presence.user)),
    online: presence.online,
    lastSeenMs: presence.lastSeenMs || undefined,
  };
}
