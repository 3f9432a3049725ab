/**
 * Who is watched and who types, and what the user's own typing tells others.
 *
 * A subscription is renewed in every session. Typing is sent as a notice: no
 * answer comes, and without a session it is not sent at all. All tables are
 * bounded.
 */

import { uuid, uuidBytes } from '../ids.ts';
import type { ClientKind } from './requests.ts';

/** Users a session may be subscribed to. */
export const SUBSCRIPTIONS = 500;

/** People who write at the same time, at most. */
const TYPING = 1_024;

/** The user's own typing is sent again after so long. */
const TYPING_AGAIN_MS = 3_000;

const NEVER = Number.POSITIVE_INFINITY;

/** Somebody who types in a conversation. */
export interface Typist {
  readonly conversation: string;
  readonly user: string;
}

export class Presence {
  #watched = new Set<string>();
  #watchAtMs = NEVER;
  /** Who types, until when. */
  readonly #typing = new Map<string, Typist & { untilMs: number }>();
  /** When the user's own typing was last sent, by conversation. */
  readonly #ownTyping = new Map<string, number>();
  #notices: ClientKind[] = [];

  /** Follows a subscription. False, and nothing changes, when it would be of too many. */
  watch(users: readonly string[], drop: readonly string[]): boolean {
    const watched = new Set(this.#watched);
    for (const user of drop) watched.delete(user);
    for (const user of users) watched.add(user);
    if (watched.size > SUBSCRIPTIONS) return false;
    this.#watched = watched;
    return true;
  }

  beginSession(nowMs: number): void {
    if (this.#watched.size > 0) this.#watchAtMs = nowMs;
  }

  /** The users to subscribe to, when that is due. */
  takeWatch(nowMs: number): string[] | undefined {
    if (this.#watchAtMs > nowMs) return undefined;
    this.#watchAtMs = NEVER;
    return [...this.#watched];
  }

  retryWatch(atMs: number): void {
    this.#watchAtMs = atMs;
  }

  /** When {@link takeWatch} is due. */
  watchDeadline(): number {
    return this.#watchAtMs;
  }

  /** The user types in a conversation, or stopped. */
  setTyping(nowMs: number, conversation: string, active: boolean): void {
    const sentMs = this.#ownTyping.get(conversation);
    if (active && (sentMs === undefined || nowMs >= sentMs + TYPING_AGAIN_MS)) {
      if (this.#ownTyping.size >= TYPING) this.#ownTyping.clear();
      this.#ownTyping.set(conversation, nowMs);
    } else if (!active && sentMs !== undefined) this.#ownTyping.delete(conversation);
    else return;
    // The newest replaces what has not left.
    this.#notices = this.#notices.filter(
      (it) => it.case !== 'typing' || uuid(it.value.conversation) !== conversation,
    );
    const value = { conversation: uuidBytes(conversation), stopped: !active };
    if (this.#notices.length < TYPING) this.#notices.push({ case: 'typing', value });
  }

  nextNotice(): ClientKind | undefined {
    return this.#notices.shift();
  }

  /** Somebody types. Returns whether that is news. */
  handleTyping(conversation: string, user: string, untilMs: number): boolean {
    const key = conversation + user;
    const isNew = !this.#typing.has(key);
    if (isNew && this.#typing.size >= TYPING) return false;
    this.#typing.set(key, { conversation, user, untilMs });
    return isNew;
  }

  /** Somebody stopped typing. Returns whether that is news. */
  stopTyping(conversation: string, user: string): boolean {
    return this.#typing.delete(conversation + user);
  }

  /** Those whose time is up, who are forgotten. */
  expireTyping(nowMs: number): Typist[] {
    const over = [...this.#typing.values()].filter((it) => it.untilMs <= nowMs);
    return over.filter((it) => this.stopTyping(it.conversation, it.user));
  }

  /** When the first of those who type counts as stopped. */
  typingDeadline(): number {
    let first = NEVER;
    for (const { untilMs } of this.#typing.values()) first = Math.min(first, untilMs);
    return first;
  }

  endSession(): void {
    this.#watchAtMs = NEVER;
    this.#notices = [];
    this.#ownTyping.clear();
  }
}
