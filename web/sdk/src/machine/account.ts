/** Whose client this is, and the session that is open. */

import type * as wire from '../gen/wire.ts';
import { toHex, uuid } from '../ids.ts';
import type { User } from '../model.ts';
import type { StoredAccount } from '../store.ts';
import type { Session, TransportName } from '../types.ts';
import type { Outputs } from './outputs.ts';

export class Account {
  readonly #outputs: Outputs;
  #saved: StoredAccount | undefined;
  #session: Session | undefined;
  #sessionNumber = 0;

  constructor(outputs: Outputs, saved: StoredAccount | undefined) {
    this.#outputs = outputs;
    this.#saved = saved;
  }

  get user(): User | undefined {
    return this.#saved?.user;
  }

  /** The user's id. */
  get me(): string | undefined {
    return this.user?.id;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** Counts the sessions of this run; 0 before the first. */
  get sessionNumber(): number {
    return this.#sessionNumber;
  }

  /**
   * A session opens. Returns whether user, device or the life of the server's
   * store are new; `undefined`, and nothing changes, when the session is of another
   * user. Where all that is known is of another life, `drop` comes first.
   */
  beginSession(
    welcome: wire.Welcome,
    transport: TransportName,
    drop: () => void,
  ): boolean | undefined {
    let saved = this.#saved;
    const user = { id: uuid(welcome.user), name: welcome.userName };
    const device = uuid(welcome.device);
    const id = uuid(welcome.session);
    if (saved && saved.user.id !== user.id) return undefined;
    const incarnation = toHex(welcome.incarnation) || saved?.incarnation;
    if (saved?.incarnation && saved.incarnation !== incarnation) {
      drop();
      saved = undefined;
    }
    const isNew =
      saved?.device !== device ||
      saved.user.name !== user.name ||
      saved.incarnation !== incarnation;
    if (isNew) {
      // A device that knew nothing yet has nothing to catch up with.
      const revision = saved?.revision ?? welcome.accountRevision;
      this.#save({ user, device, revision, incarnation });
    }
    this.#sessionNumber++;
    this.#session = {
      id,
      user,
      device,
      transport,
      textChars: welcome.limits?.textChars ?? 0,
      groupMembers: welcome.limits?.groupMembers ?? 0,
      serverTimeMs: welcome.serverTimeMs,
    };
    return isNew;
  }

  /** Returns whether a session was open. */
  endSession(): boolean {
    const wasOpen = this.#session !== undefined;
    this.#session = undefined;
    return wasOpen;
  }

  /** The account's own data stand at this revision. Returns whether that is news. */
  setRevision(revision: number): boolean {
    const saved = this.#saved;
    if (!saved || revision <= saved.revision) return false;
    this.#save({ ...saved, revision });
    return true;
  }

  #save(account: StoredAccount): void {
    this.#saved = account;
    this.#outputs.save({ type: 'account', account });
  }
}
