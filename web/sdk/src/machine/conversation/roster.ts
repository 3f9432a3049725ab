/**
 * Who is in a conversation and how it works: what the server described, moved
 * on by the entries that change it.
 *
 * The same rules as the server's, as far as a device can follow them. Where it
 * can't (an entry whose content is gone, a return after having been out), the
 * server is asked again.
 */

import { DEFAULT_SETTINGS } from '../../convert.ts';
import type { Change, Description, Entry, Member, Receipt, Role, User } from '../../model.ts';

/** What an entry did to a roster; after `lost` the server has to be asked. */
export type Followed = 'same' | 'changed' | 'lost';

const RANK: Record<Role, number> = { member: 0, admin: 1, owner: 2 };

export class Roster {
  #description: Description;

  constructor(description: Description) {
    this.#description = description;
  }

  /** As of its `lastSeq`. */
  get description(): Description {
    return this.#description;
  }

  /** A conversation the server doesn't describe. */
  static unknown(conversation: string): Roster {
    return new Roster({
      conversation,
      kind: 'group',
      members: [],
      lastSeq: 0,
      info: { title: '', description: '', picture: '' },
      settings: DEFAULT_SETTINGS,
      pinned: [],
      firstAfter: 0,
      former: false,
      createdMs: 0,
    });
  }

  member(user: string): Member | undefined {
    return this.#description.members.find((member) => member.user.id === user);
  }

  #set(change: Partial<Description>): void {
    this.#description = { ...this.#description, ...change };
  }

  #setMember(user: string, change: Partial<Member>): void {
    const members = this.#description.members.map((member) =>
      member.user.id === user ? { ...member, ...change } : member,
    );
    this.#set({ members });
  }

  /** A member's cursors moved. Returns whether they did. */
  handleReceipt(receipt: Receipt): boolean {
    const member = this.member(receipt.user);
    if (!member) return false;
    const change: { -readonly [K in keyof Member]?: Member[K] } = {};
    if (receipt.delivered > member.delivered) {
      change.delivered = receipt.delivered;
      change.deliveredMs = receipt.timeMs;
    }
    if (receipt.read > member.read) {
      change.read = receipt.read;
      change.readMs = receipt.timeMs;
    }
    if (Object.keys(change).length === 0) return false;
    this.#setMember(receipt.user, change);
    return true;
  }

  /** Takes the next entry. */
  follow(entry: Entry, me: string | undefined): Followed {
    if (entry.seq <= this.#description.lastSeq) return 'same';
    this.#set({ lastSeq: entry.seq });
    switch (entry.type) {
      case 'change':
        return this.#change(entry, me);
      // What is deleted is no longer pinned.
      case 'deletion':
      case 'pin': {
        const others = this.#description.pinned.filter((seq) => seq !== entry.target);
        const off = entry.type === 'deletion' || entry.removed;
        const pinned = off ? others : [...others, entry.target].sort((a, b) => a - b);
        this.#set({ pinned });
        return 'changed';
      }
      case 'erased':
      case 'damaged':
        return 'lost';
      default:
        return 'same';
    }
  }

  #change(change: Change, me: string | undefined): Followed {
    const { what, sender, seq } = change;
    switch (what.type) {
      case 'created':
        this.#set({
          kind: 'group',
          info: what.info,
          settings: what.settings,
          createdMs: change.timeMs,
        });
        this.#add(sender, 'owner', seq);
        for (const user of what.members) this.#add(user, 'member', seq);
        break;
      case 'changed': {
        const { info, settings } = this.#description;
        const { title, description, picture } = what;
        this.#set({
          info: {
            title: title ?? info.title,
            description: description ?? info.description,
            picture: picture ?? info.picture,
          },
          settings: what.settings ?? settings,
        });
        break;
      }
      case 'added':
        for (const user of what.users) this.#add(user, 'member', seq);
        return this.#handleReturn(what.users.some((user) => user.id === me));
      case 'joined':
        this.#add(sender, this.#description.members.length === 0 ? 'owner' : 'member', seq);
        return this.#handleReturn(sender.id === me);
      case 'removed':
        this.#remove(what.user.id, me);
        break;
      case 'left': {
        const owned = this.member(sender.id)?.role === 'owner';
        this.#remove(sender.id, me);
        if (owned) this.#handOver();
        break;
      }
      case 'role':
        if (what.role === 'owner') this.#setMember(sender.id, { role: 'admin' });
        this.#setMember(what.user.id, { role: what.role });
        break;
      case 'erased': {
        const { firstAfter, pinned } = this.#description;
        this.#set({
          firstAfter: Math.max(firstAfter, what.upTo),
          pinned: pinned.filter((it) => it > what.upTo),
        });
      }
    }
    return 'changed';
  }

  /** A user who was out meanwhile did not hear what happened then. */
  #handleReturn(myself: boolean): Followed {
    if (!myself || !this.#description.former) return 'changed';
    this.#set({ former: false });
    return 'lost';
  }

  #add(user: User, role: Role, joinedSeq: number): void {
    const none = { delivered: 0, read: 0, deliveredMs: 0, readMs: 0 };
    const others = this.#description.members.filter((member) => member.user.id !== user.id);
    this.#set({ members: [...others, { user, role, joinedSeq, ...none }] });
  }

  #remove(user: string, me: string | undefined): void {
    this.#set({
      members: this.#description.members.filter((member) => member.user.id !== user),
      former: this.#description.former || user === me,
    });
  }

  /** Makes an owner of the admin, else the member, who is in the longest. */
  #handOver(): void {
    const next = [...this.#description.members].sort(
      (a, b) =>
        RANK[b.role] - RANK[a.role] ||
        a.joinedSeq - b.joinedSeq ||
        (a.user.id < b.user.id ? -1 : 1),
    )[0];
    if (next) this.#setMember(next.user.id, { role: 'owner' });
  }
}
