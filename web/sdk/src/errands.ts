/**
 * What is asked of the server now and then: people, settings, invite links,
 * who read what. Loaded with the first of them, since a client that connects,
 * sends and receives needs none.
 */

import type {
  AccountSettingsChange,
  NewInvite,
  PreferencesChange,
  ProfileChange,
  Report,
} from './actions.ts';
import type { Init } from './codec.ts';
import {
  accountOf,
  inviteOf,
  nameless,
  preferencesToWire,
  presenceOf,
  previewOf,
  settingsChangeToWire,
} from './convert.ts';
import { ParleyError, problem } from './error.ts';
import type * as wire from './gen/wire.ts';
import { fromHex, uuid, uuidBytes } from './ids.ts';
import type { ClientKind, ServerKind } from './machine/machine.ts';
import type { Account, Invite, InvitePreview, MemberReceipt, Presence, User } from './model.ts';

export type Answer<C extends ServerKind['case']> = Extract<ServerKind, { case: C }>['value'];

/** What errands need of a client. */
export interface Asker {
  ask<C extends ServerKind['case']>(kind: Init<ClientKind>, expected: C): Promise<Answer<C>>;
  /** Users by their ids; asks for those who are not known. */
  users(ids: readonly string[]): Promise<Map<string, User>>;
  /** What a conversation calls one of its members. */
  named(conversation: string, id: string): User | undefined;
}

export async function receipts(
  asker: Asker,
  conversation: string,
  seq: number,
): Promise<MemberReceipt[]> {
  const value = { conversation: uuidBytes(conversation), seq };
  const { members } = await asker.ask({ case: 'receipts', value }, 'receiptList');
  const ids = members.map((member) => uuid(member.user));
  const users = await asker.users(ids.filter((id) => !asker.named(conversation, id)));
  return members.map(({ deliveredMs, readMs }, at) => {
    const id = ids[at] as string;
    const user = asker.named(conversation, id) ?? users.get(id) ?? nameless(id);
    return { user, deliveredMs: deliveredMs || undefined, readMs: readMs || undefined };
  });
}

export async function setPreferences(
  asker: Asker,
  conversation: string,
  change: PreferencesChange,
): Promise<void> {
  const value = preferencesToWire(conversation, change);
  await asker.ask({ case: 'setPreferences', value }, 'changed');
}

export async function hide(
  asker: Asker,
  conversation: string,
  seqs: readonly number[],
): Promise<void> {
  const value = { conversation: uuidBytes(conversation), seqs };
  await asker.ask({ case: 'hide', value }, 'changed');
}

export async function hidden(asker: Asker, conversation: string): Promise<number[]> {
  const all: number[] = [];
  for (;;) {
    const value = { conversation: uuidBytes(conversation), after: all.length };
    const { seqs, total } = await asker.ask({ case: 'hidden', value }, 'hiddenSeqs');
    all.push(...seqs);
    if (seqs.length === 0 || all.length >= total) return all;
  }
}

export async function createInvite(
  asker: Asker,
  conversation: string,
  invite: NewInvite,
): Promise<Invite> {
  const [made] = await inviteAct(asker, conversation, { case: 'create', value: invite });
  if (!made) throw unexpected();
  return made;
}

export async function revokeInvite(asker: Asker, conversation: string, id: string): Promise<void> {
  const value = fromHex(id) ?? new Uint8Array();
  await inviteAct(asker, conversation, { case: 'revoke', value });
}

export function invites(asker: Asker, conversation: string): Promise<Invite[]> {
  return inviteAct(asker, conversation, { case: 'list', value: true });
}

async function inviteAct(
  asker: Asker,
  conversation: string,
  act: Init<wire.Invites['act']>,
): Promise<Invite[]> {
  const value = { conversation: uuidBytes(conversation), act };
  const { links } = await asker.ask({ case: 'invites', value }, 'inviteLinks');
  return links.map(inviteOf);
}

export async function peekInvite(asker: Asker, code: string): Promise<InvitePreview> {
  return previewOf(await asker.ask({ case: 'peekInvite', value: { code } }, 'invitePreview'));
}

export async function subscribe(
  asker: Asker,
  ids: readonly string[],
  how: { drop?: boolean; once?: boolean },
): Promise<Presence[]> {
  // Their names are known before the first of them comes or goes.
  const users = how.drop ? new Map<string, User>() : await asker.users(ids);
  const wired = ids.map(uuidBytes);
  const [given, drop] = how.drop ? [[], wired] : [wired, []];
  const value = { users: given, drop, once: how.once ?? false };
  const { presence } = await asker.ask({ case: 'subscribe', value }, 'subscribed');
  return presence.map((one) => presenceOf(one, (id) => users.get(id) ?? nameless(id)));
}

export async function report(
  asker: Asker,
  { user, conversation, seqs = [], reason }: Report,
): Promise<void> {
  const place = conversation === undefined ? undefined : uuidBytes(conversation);
  const value = { user: uuidBytes(user), conversation: place, seqs, reason };
  await asker.ask({ case: 'report', value }, 'reported');
}

export async function account(asker: Asker): Promise<Account> {
  return accountOf(await asker.ask({ case: 'getAccount', value: {} }, 'accountState'));
}

export function changeProfile(asker: Asker, change: ProfileChange): Promise<void> {
  return update(asker, { case: 'profile', value: change });
}

export function changeSettings(asker: Asker, change: AccountSettingsChange): Promise<void> {
  return update(asker, { case: 'settings', value: settingsChangeToWire(change) });
}

/** Takes somebody in among the contacts or the blocked, or off. */
export function relate(
  asker: Asker,
  how: 'addContact' | 'removeContact' | 'block' | 'unblock',
  user: string,
): Promise<void> {
  return update(asker, { case: how, value: uuidBytes(user) });
}

async function update(asker: Asker, change: Init<wire.UpdateAccount['change']>): Promise<void> {
  await asker.ask({ case: 'updateAccount', value: { change } }, 'accountChanged');
}

function unexpected(): ParleyError {
  return new ParleyError(problem('protocol', "the server's answer is of another kind"));
}
