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
  profileOf,
  settingsChangeToWire,
} from './convert.ts';
import { ParleyError, problem } from './error.ts';
import type * as wire from './gen/wire.ts';
import { fromHex, toHex, uuid, uuidBytes } from './ids.ts';
import type { Call } from './machine/calls.ts';
import type { Tick } from './machine/connect.ts';
import type { Machine } from './machine/machine.ts';
import type { ClientKind, ServerKind } from './machine/requests.ts';
import type {
  Account,
  Description,
  Invite,
  InvitePreview,
  MemberReceipt,
  Presence,
  Profile,
  User,
} from './model.ts';
import type { StoredItem } from './store.ts';
import type { Submitted } from './types.ts';

type Answer<C extends ServerKind['case']> = Extract<ServerKind, { case: C }>['value'];

/** What errands need of a client: its driver. */
export interface Asker {
  readonly machine: Machine;
  call<T>(call: Call): Promise<T>;
  /** The device's clock. */
  wallMs(): number;
  /** Makes an input to the machine and does what follows. */
  input<T>(act: (tick: Tick) => T): T;
  /** Resolves when a new send is in the store. */
  queue(make: (tick: Tick) => StoredItem): Promise<StoredItem>;
}

/** Names that are asked for at once; the rest are called by their ids. */
const NAMES = 32;
const NAMES_AT_A_TIME = 8;

async function ask<C extends ServerKind['case']>(
  asker: Asker,
  kind: Init<ClientKind>,
  expected: C,
): Promise<Answer<C>> {
  const answer = await asker.call<ServerKind>({ type: 'ask', kind: kind as ClientKind });
  if (answer?.case !== expected) throw unexpected();
  return answer.value as Answer<C>;
}

/** A refused send again, as a new one in its place. */
export async function retry(asker: Asker, localId: number): Promise<Submitted> {
  const { machine } = asker;
  const clientMessageId = toHex(crypto.getRandomValues(new Uint8Array(16)));
  const again = await asker.queue((tick) => {
    const item = machine.discard(localId);
    if (!item) throw new ParleyError(problem('invalidArgument', 'there is no such refused send'));
    return machine.queue(tick, item.to, clientMessageId, item);
  });
  return { localId: again.localId, clientMessageId };
}

/** Gives up a refused send. */
export async function discard(asker: Asker, localId: number): Promise<void> {
  asker.input(() => asker.machine.discard(localId));
}

/** The user writes, or stopped. */
export async function typing(asker: Asker, conversation: string, active: boolean): Promise<void> {
  asker.input((tick) => asker.machine.setTyping(tick, conversation, active));
}

export function describe(asker: Asker, conversation: string): Promise<Description> {
  return asker.call({ type: 'describe', conversation });
}

export function findUser(asker: Asker, name: string): Promise<User> {
  return asker.call({ type: 'lookup', name });
}

export async function profile(asker: Asker, user: string): Promise<Profile> {
  const value = { user: uuidBytes(user) };
  return profileOf(await ask(asker, { case: 'getProfile', value }, 'profile'));
}

export async function users(asker: Asker, ids: readonly string[]): Promise<User[]> {
  const found = await usersById(asker, ids);
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** The users with these ids, by id; asks for those who are not known, unless `known` is set. */
export async function usersById(
  asker: Asker,
  ids: readonly string[],
  known = false,
): Promise<Map<string, User>> {
  const found = new Map(asker.machine.findUsers(ids).map((user) => [user.id, user]));
  if (known) return found;
  const unknown = ids.filter((id) => !found.has(id)).slice(0, NAMES);
  const next = async (): Promise<void> => {
    for (let id = unknown.shift(); id !== undefined; id = unknown.shift()) {
      // A user who can't be asked about is called by the id.
      const given = await profile(asker, id).catch(() => undefined);
      if (given) found.set(id, given.user);
    }
  };
  await Promise.all(Array.from({ length: Math.min(NAMES_AT_A_TIME, unknown.length) }, next));
  return found;
}

export async function receipts(
  asker: Asker,
  conversation: string,
  seq: number,
): Promise<MemberReceipt[]> {
  const value = { conversation: uuidBytes(conversation), seq };
  const { members } = await ask(asker, { case: 'receipts', value }, 'receiptList');
  const ids = members.map((member) => uuid(member.user));
  const named = (id: string) => asker.machine.named(conversation, id);
  const users = await usersById(
    asker,
    ids.filter((id) => !named(id)),
  );
  return members.map(({ deliveredMs, readMs }, at) => {
    const id = ids[at] as string;
    const user = named(id) ?? users.get(id) ?? nameless(id);
    return { user, deliveredMs: deliveredMs || undefined, readMs: readMs || undefined };
  });
}

export async function setPreferences(
  asker: Asker,
  conversation: string,
  change: PreferencesChange,
): Promise<void> {
  const value = preferencesToWire(conversation, change);
  await ask(asker, { case: 'setPreferences', value }, 'changed');
}

export async function hide(
  asker: Asker,
  conversation: string,
  seqs: readonly number[],
): Promise<void> {
  const value = { conversation: uuidBytes(conversation), seqs };
  await ask(asker, { case: 'hide', value }, 'changed');
}

export async function hidden(asker: Asker, conversation: string): Promise<number[]> {
  const all: number[] = [];
  for (;;) {
    const value = { conversation: uuidBytes(conversation), after: all.length };
    const { seqs, total } = await ask(asker, { case: 'hidden', value }, 'hiddenSeqs');
    all.push(...seqs);
    if (seqs.length === 0 || all.length >= total) return all;
  }
}

export async function banned(asker: Asker, conversation: string): Promise<User[]> {
  const value = { conversation: uuidBytes(conversation) };
  const described = await ask(asker, { case: 'describe', value }, 'described');
  const ids = described.banned.map(uuid);
  const found = await usersById(asker, ids);
  return ids.map((id) => found.get(id) ?? nameless(id));
}

export async function createInvite(
  asker: Asker,
  conversation: string,
  invite: NewInvite = {},
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
  const { links } = await ask(asker, { case: 'invites', value }, 'inviteLinks');
  return links.map(inviteOf);
}

export async function peekInvite(asker: Asker, code: string): Promise<InvitePreview> {
  return previewOf(await ask(asker, { case: 'peekInvite', value: { code } }, 'invitePreview'));
}

async function subscribe(
  asker: Asker,
  ids: readonly string[],
  how: { drop?: boolean; once?: boolean },
): Promise<Presence[]> {
  // Their names are known before the first of them comes or goes.
  const users = how.drop ? new Map<string, User>() : await usersById(asker, ids);
  const wired = ids.map(uuidBytes);
  const [given, drop] = how.drop ? [[], wired] : [wired, []];
  const value = { users: given, drop, once: how.once ?? false };
  const { presence } = await ask(asker, { case: 'subscribe', value }, 'subscribed');
  return presence.map((one) => presenceOf(one, (id) => users.get(id) ?? nameless(id)));
}

/** How these are now; watches nobody. */
export function presence(asker: Asker, ids: readonly string[]): Promise<Presence[]> {
  return subscribe(asker, ids, { once: true });
}

/** How these are now, and events from then on. */
export function subscribePresence(asker: Asker, ids: readonly string[]): Promise<Presence[]> {
  return subscribe(asker, ids, {});
}

export async function unsubscribePresence(asker: Asker, ids: readonly string[]): Promise<void> {
  await subscribe(asker, ids, { drop: true });
}

export async function report(
  asker: Asker,
  { user, conversation, seqs = [], reason }: Report,
): Promise<void> {
  const place = conversation === undefined ? undefined : uuidBytes(conversation);
  const value = { user: uuidBytes(user), conversation: place, seqs, reason };
  await ask(asker, { case: 'report', value }, 'reported');
}

export async function account(asker: Asker): Promise<Account> {
  return accountOf(await ask(asker, { case: 'getAccount', value: {} }, 'accountState'));
}

export function changeProfile(asker: Asker, change: ProfileChange): Promise<void> {
  return update(asker, { case: 'profile', value: change });
}

export function changeSettings(asker: Asker, change: AccountSettingsChange): Promise<void> {
  return update(asker, { case: 'settings', value: settingsChangeToWire(change) });
}

export function addContact(asker: Asker, user: string): Promise<void> {
  return update(asker, { case: 'addContact', value: uuidBytes(user) });
}

export function removeContact(asker: Asker, user: string): Promise<void> {
  return update(asker, { case: 'removeContact', value: uuidBytes(user) });
}

export function block(asker: Asker, user: string): Promise<void> {
  return update(asker, { case: 'block', value: uuidBytes(user) });
}

export function unblock(asker: Asker, user: string): Promise<void> {
  return update(asker, { case: 'unblock', value: uuidBytes(user) });
}

async function update(asker: Asker, change: Init<wire.UpdateAccount['change']>): Promise<void> {
  await ask(asker, { case: 'updateAccount', value: { change } }, 'accountChanged');
}

function unexpected(): ParleyError {
  return new ParleyError(problem('protocol', "the server's answer is of another kind"));
}
