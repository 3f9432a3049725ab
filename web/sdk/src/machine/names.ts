/**
 * The names of users: by name for sends, by id for what is shown.
 *
 * A name that a send goes to is looked up. A user who is known by id only is
 * asked for, and conversations wait for that; whom the server doesn't name is
 * called by the id, so that no message waits for ever. All tables are bounded.
 */

import type { User } from '../model.ts';
import type { Outputs } from './outputs.ts';

/** Users kept, by name and by id, at most. */
const NAMES = 4_096;

export class Names {
  readonly #outputs: Outputs;
  readonly #byName = new Map<string, User>();
  readonly #lookingUp = new Set<string>();
  readonly #toLookUp = new Set<string>();
  #lookupAtMs = 0;
  readonly #byId = new Map<string, User>();
  readonly #requested = new Set<string>();
  readonly #toRequest = new Set<string>();
  /** Those the server doesn't name, in this session. */
  readonly #nameless = new Set<string>();
  /** Conversations that wait for a name. */
  readonly #waiting = new Set<string>();

  constructor(outputs: Outputs, saved: readonly User[] = []) {
    this.#outputs = outputs;
    for (const user of saved) this.#byId.set(user.id, user);
  }

  byName(name: string): User | undefined {
    return this.#byName.get(name);
  }

  learnByName(user: User): void {
    if (this.#byName.size >= NAMES) this.#byName.clear();
    this.#byName.set(user.name, user);
  }

  /** A name is needed: it is looked up, if it is not being. */
  wantLookup(name: string): void {
    if (!this.#lookingUp.has(name)) this.#toLookUp.add(name);
  }

  /** The next name to look up, now on its way. */
  nextLookup(nowMs: number): string | undefined {
    if (this.#lookupAtMs > nowMs) return undefined;
    for (const name of this.#toLookUp) {
      this.#toLookUp.delete(name);
      if (this.#lookingUp.has(name)) continue;
      this.#lookingUp.add(name);
      return name;
    }
    return undefined;
  }

  /** There is an answer to a lookup. */
  finishLookup(name: string): void {
    this.#lookingUp.delete(name);
  }

  /** A lookup has to be made again, not before `atMs`. */
  retryLookup(name: string, atMs: number): void {
    this.#lookingUp.delete(name);
    this.#lookupAtMs = atMs;
    this.#toLookUp.add(name);
  }

  /** Not before this moment are names looked up. */
  lookupDeadline(): number {
    return this.#lookupAtMs;
  }

  get(id: string): User | undefined {
    return this.#byId.get(id);
  }

  learn(user: User): void {
    if (this.#byId.get(user.id)?.name === user.name) return;
    if (this.#byId.size >= NAMES) this.#byId.clear();
    this.#byId.set(user.id, user);
    this.#outputs.save({ type: 'user', user });
  }

  /** Asks for those whom the server may name; returns whether there are any, for whom `conversation` waits. */
  request(conversation: string, users: readonly string[]): boolean {
    const asked = users.filter((user) => !this.#nameless.has(user));
    for (const user of asked) {
      if (this.#requested.has(user)) continue;
      this.#requested.add(user);
      this.#toRequest.add(user);
    }
    if (asked.length > 0) this.wait(conversation);
    return asked.length > 0;
  }

  isRequested(user: string): boolean {
    return this.#requested.has(user);
  }

  /** The next user whose profile is to be asked for. */
  nextProfile(): string | undefined {
    for (const user of this.#toRequest) {
      this.#toRequest.delete(user);
      return user;
    }
    return undefined;
  }

  /** A name came, or can't be had. Returns the conversations that waited, which don't any more. */
  handleName(id: string, user: User | undefined): string[] {
    this.#requested.delete(id);
    if (user) this.learn(user);
    else {
      if (this.#nameless.size >= NAMES) this.#nameless.clear();
      this.#nameless.add(id);
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    return waiting;
  }

  /** `conversation` waits for the next name that comes. */
  wait(conversation: string): void {
    this.#waiting.add(conversation);
  }

  /** What was on its way is asked again in the next session. */
  endSession(): void {
    this.#lookingUp.clear();
    this.#lookupAtMs = 0;
    for (const user of this.#requested) this.#toRequest.add(user);
    this.#nameless.clear();
  }
}
