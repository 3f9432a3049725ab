/**
 * The conversations that are known, what changed in them, and the 1:1
 * conversation of each user.
 */

import type { Conversation as Line, User } from '../model.ts';
import type { Save, StoredConversation } from '../store.ts';
import { Conversation } from './conversation/conversation.ts';
import { Expiries } from './expiries.ts';
import type { Outputs } from './outputs.ts';
import type { Request } from './requests.ts';
import { Schedule } from './schedule.ts';

export class Conversations {
  /** Which of them may have something to request. */
  readonly schedule = new Schedule();
  readonly #outputs: Outputs;
  readonly #all = new Map<string, Conversation>();
  /** By user id. */
  readonly #direct = new Map<string, string>();
  /** Told of by {@link touch}: whatever changes a conversation touches it. */
  readonly #expiries = new Expiries();
  readonly #changed = new Set<string>();
  readonly #unsaved = new Set<string>();

  constructor(outputs: Outputs, saved: readonly StoredConversation[] = []) {
    this.#outputs = outputs;
    for (const one of saved) {
      const it = Conversation.restore(one);
      this.#all.set(it.id, it);
      this.#expiries.set(it.id, it.expiry.nextMs);
    }
  }

  get(id: string): Conversation | undefined {
    return this.#all.get(id);
  }

  values(): Conversation[] {
    return [...this.#all.values()];
  }

  /** The conversation, known from now on; a new one is held after `held`, if that is known. */
  ensure(id: string, held: number | undefined): Conversation {
    let it = this.#all.get(id);
    if (!it) {
      it = new Conversation(id, held);
      this.#all.set(id, it);
    }
    return it;
  }

  /** What is known of it goes. */
  delete(id: string): void {
    this.#all.delete(id);
  }

  /** The 1:1 conversation with a user, when it is known. */
  direct(user: string): string | undefined {
    return this.#direct.get(user);
  }

  setDirect(user: string, id: string): void {
    this.#direct.set(user, id);
  }

  /** The user with this id, as some conversation names them. */
  named(user: string): User | undefined {
    for (const it of this.#all.values()) {
      const member = it.named(user);
      if (member) return member;
    }
    return undefined;
  }

  /** The list as it is known now, the latest activity first. */
  list(me: string | undefined): Line[] {
    const lines = this.values().flatMap((it) => (it.hasBegun ? it.line(me) : []));
    return lines.sort((a, b) => b.lastTimeMs - a.lastTimeMs || (a.id < b.id ? 1 : -1));
  }

  /** Its state changed: it is saved, and looked at for what it needs. */
  touch(id: string): void {
    this.#expiries.set(id, this.get(id)?.expiry.nextMs);
    if (this.#outputs.keeps) this.#unsaved.add(id);
    this.schedule.wake(id);
  }

  /** Its line of the list changed. */
  markChanged(id: string): void {
    this.#changed.add(id);
  }

  /** Tells the application the lines that changed, one event each. */
  reportChanged(me: string | undefined): void {
    for (const id of this.#changed) {
      const it = this.get(id);
      if (it?.hasBegun) {
        this.#outputs.emit({ type: 'conversation', conversation: it.line(me) });
      }
    }
    this.#changed.clear();
  }

  /** When a message expires next, by the server's clock. */
  expiryMs(): number {
    return this.#expiries.order[0]?.[1] ?? Infinity;
  }

  /** It is so late by the server's clock. Returns whether a count is stale by it. */
  handleTime(nowMs: number, me: string | undefined): boolean {
    let stale = false;
    for (const [id, atMs] of this.#expiries.order) {
      if (atMs > nowMs) break;
      stale = this.get(id)?.handleTime(nowMs, me) || stale;
      this.#outputs.save({ type: 'expired', conversation: id, nowMs });
      this.markChanged(id);
      this.touch(id);
    }
    return stale;
  }

  /** What is to be saved since the last call. */
  takeUnsaved(): Save[] {
    const unsaved = [...this.#unsaved];
    this.#unsaved.clear();
    return unsaved.flatMap((id): Save[] => {
      const it = this.get(id);
      return it?.hasBegun ? [{ type: 'conversation', conversation: it.saved() }] : [];
    });
  }

  /** The next request that one of them needs; see {@link Conversation.next}. */
  next(nowMs: number, me: string | undefined, noPauses: boolean): Request | undefined {
    return this.schedule.next((id) => this.get(id)?.next(nowMs, me, this.schedule, noPauses));
  }

  /** The slots and pauses of the session end; and of the conversations, if it was open. */
  endSession(wasOpen: boolean): void {
    this.schedule.endSession();
    if (wasOpen) for (const it of this.#all.values()) it.handleDisconnected();
  }
}
