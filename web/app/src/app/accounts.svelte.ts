// The accounts that are signed in in this browser. Their tokens are cookies that scripts can't read. What is stored
// here is only which account has which slot, so that the app opens at once and offline; the server's answer corrects it.

import { HttpApi } from '@parley/client';
import { SLOTS } from '../lib/routes';
import { deviceName, PLATFORM } from './browser';
import { forgetRead } from './ended';

export interface Account {
  slot: number;
  userId: string;
  name: string;
  deviceId: string;
  /** Its session ended: what was kept stays, and signing in again goes on with it. */
  expired: boolean;
}

const KEY = 'parley.accounts';
const LAST = 'parley.slot';

let accounts = $state.raw<readonly Account[]>(readAccounts(stored(KEY)));
/** Whether the server has answered since the app started. */
let checked = $state(false);

export function signedIn(): readonly Account[] {
  return accounts;
}

export function accountsChecked(): boolean {
  return checked;
}

export function accountOf(slot: number): Account | undefined {
  return accounts.find((account) => account.slot === slot);
}

export function apiOf(slot: number): HttpApi {
  return new HttpApi({ auth: { kind: 'cookie', slot } });
}

/** What was stored, without anything that isn't an account. */
export function readAccounts(text: string | null): Account[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  const found = new Map<number, Account>();
  for (const item of value as Partial<Account>[]) {
    if (item === null || typeof item !== 'object') continue;
    const { slot, userId, name, deviceId } = item;
    if (typeof slot !== 'number' || !Number.isInteger(slot) || slot < 0 || slot >= SLOTS) continue;
    if (typeof userId !== 'string' || typeof name !== 'string' || typeof deviceId !== 'string')
      continue;
    found.set(slot, { slot, userId, name, deviceId, expired: item.expired === true });
  }
  return [...found.values()].sort((a, b) => a.slot - b.slot);
}

/** The accounts known here, corrected by the server's answer: those it doesn't name have to sign in again. */
export function corrected(known: readonly Account[], said: readonly Account[]): Account[] {
  const gone = known
    .filter((account) => !said.some((other) => other.slot === account.slot))
    .map((account) => ({ ...account, expired: true }));
  return [...said, ...gone].sort((a, b) => a.slot - b.slot);
}

/** Signing in or out meanwhile makes an answer of {@link checkAccounts} old. */
let changes = 0;

/** Asks the server which cookies are good. Without an answer everything stays as it was. */
export async function checkAccounts(): Promise<void> {
  const before = changes;
  try {
    const said = await apiOf(0).signIns();
    if (changes !== before) return await checkAccounts();
    const found = said.map(({ slot, user, device }) => ({
      slot,
      userId: user.id,
      name: user.name,
      deviceId: device,
      expired: false,
    }));
    const known = accounts;
    set(corrected(known, found));
    const ended = accounts.filter(({ slot, expired }) => {
      const before = known.find((other) => other.slot === slot);
      return expired && before?.expired === false;
    });
    // Also of those that are not opened.
    for (const { userId, slot } of ended) void forgetRead(userId, slot).catch(() => undefined);
  } catch {
    // No network or no server: the stored accounts stay as they are.
  } finally {
    checked = true;
  }
}

export interface Credentials {
  name: string;
  password: string;
}

/** Signs up or in, into `slot`, and remembers it. */
export async function enter(
  how: 'sign-up' | 'sign-in',
  slot: number,
  credentials: Credentials,
): Promise<Account> {
  const api = apiOf(slot);
  const request = { ...credentials, device: { name: deviceName(), platform: PLATFORM } };
  const entered = await (how === 'sign-up' ? api.signUp(request) : api.signIn(request));
  const account: Account = {
    slot,
    userId: entered.user.id,
    name: entered.user.name,
    deviceId: entered.device,
    expired: false,
  };
  changes++;
  // Signed in twice as the same person: the newer slot goes on.
  set([
    ...accounts.filter((other) => other.slot !== slot && other.userId !== account.userId),
    account,
  ]);
  remember(slot);
  return account;
}

const wishes = new Map<number, string>();

/** What somebody who just signed up likes to be called: said to the server by their first session. */
export function wishName(slot: number, displayName: string): void {
  const name = displayName.trim();
  if (name !== '') wishes.set(slot, name);
}

/** Takes the wish out, for whoever says it. */
export function takeWish(slot: number): string | undefined {
  const wish = wishes.get(slot);
  wishes.delete(slot);
  return wish;
}

/** The server ended this session. */
export function expire(slot: number): void {
  set(accounts.map((account) => (account.slot === slot ? { ...account, expired: true } : account)));
}

/** Takes an account out of this browser. */
export function removeAccount(slot: number): void {
  changes++;
  set(accounts.filter((account) => account.slot !== slot));
}

/** The slot that was shown last, if somebody is in it. */
export function lastSlot(): number | undefined {
  const slot = Number(stored(LAST) ?? Number.NaN);
  const good = (account: Account) => !account.expired;
  return (
    accounts.find((account) => account.slot === slot && good(account)) ??
    accounts.find(good) ??
    accounts[0]
  )?.slot;
}

export function remember(slot: number): void {
  store(LAST, String(slot));
}

/** Where somebody who signs in goes: the slot of the expired session of that name, else a free one. */
export function slotFor(known: readonly Account[], name: string): number | undefined {
  const again = known.find((account) => account.name === name);
  if (again !== undefined) return again.slot;
  const free = Array.from({ length: SLOTS }, (_, slot) => slot);
  return free.find((slot) => !known.some((account) => account.slot === slot));
}

/** Follows sign-ins and sign-outs of other tabs; returns how to stop. */
export function followAccounts(): () => void {
  const changed = (event: StorageEvent) => {
    if (event.key === KEY) accounts = readAccounts(event.newValue);
  };
  addEventListener('storage', changed);
  return () => removeEventListener('storage', changed);
}

function set(next: readonly Account[]): void {
  accounts = [...next].sort((a, b) => a.slot - b.slot);
  store(KEY, JSON.stringify(accounts));
}

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Without storage one has to sign in after a reload only if cookies are off too.
  }
}
