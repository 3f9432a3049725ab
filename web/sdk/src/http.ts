/**
 * The JSON API: signing up, in and out, devices, the account. What these do must
 * not hang on a session.
 */

import type { Device, User } from './model.ts';
import { type Json, Requester, refuse, text } from './request.ts';

/** Name, password, and the device that signs in; the same device name again is the same device. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly device: { readonly name: string; readonly platform?: string | undefined };
}

export interface SignedIn {
  readonly user: User;
  readonly device: string;
  /** 64 hex digits; absent with cookies. */
  readonly token?: string | undefined;
}

/** An account that is signed in in this browser. */
export interface SignIn {
  readonly slot: number;
  readonly user: User;
  readonly device: string;
}

export class HttpApi extends Requester {
  /** Makes an account and signs in. */
  signUp(credentials: Credentials): Promise<SignedIn> {
    return this.signInAt('/v1/accounts', credentials);
  }

  signIn(credentials: Credentials): Promise<SignedIn> {
    return this.signInAt('/v1/login', credentials);
  }

  private async signInAt(path: string, { name, password, device }: Credentials): Promise<SignedIn> {
    const { name: deviceName, platform = '' } = device;
    const body: Json = { name, password, device: { name: deviceName, platform } };
    if (this.usesCookie) body.session = 'cookie';
    const answer = await this.json('POST', path, body);
    return {
      user: { id: text(answer.user_id), name: text(answer.name) },
      device: text(answer.device_id),
      token: typeof answer.token === 'string' ? answer.token : undefined,
    };
  }

  /** Signs this device out. */
  async signOut(): Promise<void> {
    await this.request('POST', '/v1/logout');
  }

  /** The accounts that are signed in in this browser by cookie. */
  async signIns(): Promise<SignIn[]> {
    const answer = await this.json('GET', '/v1/sign-ins');
    return list(answer.sign_ins).map((it) => ({
      slot: Number(it.slot),
      user: { id: text(it.user_id), name: text(it.name) },
      device: text(it.device_id),
    }));
  }

  async devices(): Promise<Device[]> {
    const answer = await this.json('GET', '/v1/devices');
    return list(answer.devices).map((it) => ({
      id: text(it.device_id),
      name: text(it.name),
      platform: text(it.platform),
      createdMs: Number(it.created_ms),
      lastActiveMs: Number(it.last_active_ms ?? 0),
      sessions: Number(it.sessions),
      current: it.current === true,
    }));
  }

  async signOutDevice(id: string): Promise<void> {
    await this.request('DELETE', `/v1/devices/${encodeURIComponent(id)}`);
  }

  /**
   * Ends every token of the account but this one, in whose place comes another:
   * in the cookie, or else returned, for `Client.renewToken`.
   */
  async signOutOtherDevices(): Promise<string | undefined> {
    return this.renewed(await this.request('DELETE', '/v1/devices'));
  }

  /** Ends and replaces tokens as `signOutOtherDevices` does. */
  async changePassword(old: string, next: string): Promise<string | undefined> {
    return this.renewed(await this.request('POST', '/v1/account/password', { old, new: next }));
  }

  /** All of the user's data, as lines of JSON; whole when the last one is `{"end":true}`. */
  async exportAccount(): Promise<Response> {
    return this.request('GET', '/v1/account/export', undefined, { endless: true });
  }

  async deleteAccount(password: string): Promise<void> {
    await this.request('DELETE', '/v1/account', { password });
  }
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value : refuse();
}
