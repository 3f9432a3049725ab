// The people that somebody knows here, to be found by what they are called: contacts, partners of 1:1s, members of the
// groups one is in. One index for all places that look for people.

import type { User } from '@parley/client';
import { SvelteMap } from 'svelte/reactivity';
import type { Session } from '../app/session.svelte';
import { matcher } from './matching';

/** Groups whose members are taken, those with the latest activity. */
const GROUPS = 50;
/** Members taken in all. */
const MEMBERS = 2_000;
/** Members whose display names are asked for, one after the other. */
const ASKED = 300;

export interface KnownPerson {
  readonly user: User;
  /** What they like to be called. */
  readonly shown: string;
}

export class KnownPeople {
  readonly #members = new SvelteMap<string, User>();
  #loaded = false;

  constructor(private readonly session: Session) {}

  /** Those whose names have all the words, contacts first, at most so many. Reactive. */
  find(query: string, most: number, without?: ReadonlySet<string>): KnownPerson[] {
    void this.#load();
    const matches = matcher(query);
    const found: KnownPerson[] = [];
    for (const user of this.#all()) {
      if (found.length >= most) break;
      if (without?.has(user.id)) continue;
      const profile = this.session.names.known(user.id);
      if (profile?.deleted || user.name === user.id) continue;
      const shown = this.session.names.called(user);
      if (matches(shown, user.name)) found.push({ user, shown });
    }
    return found;
  }

  #all(): Iterable<User> {
    const { account, me, conversations } = this.session;
    const people = new Map<string, User>();
    for (const { user } of account?.contacts ?? []) people.set(user.id, user);
    const { active, archived } = conversations.get();
    for (const { peer } of [...active, ...archived]) if (peer) people.set(peer.id, peer);
    for (const [id, user] of this.#members) if (!people.has(id)) people.set(id, user);
    people.delete(me.id);
    return people.values();
  }

  /** Takes the members of groups, once the groups are known. */
  async #load(): Promise<void> {
    // Whoever looks before the list is there looks again with it.
    if (this.#loaded || !this.session.conversations.get().loaded) return;
    this.#loaded = true;
    // Later, since this is called while something is drawn.
    await Promise.resolve();
    const { active, archived } = this.session.conversations.get();
    const groups = [...active, ...archived].filter((row) => row.kind === 'group' && !row.former);
    groups.sort((a, b) => b.timeMs - a.timeMs);
    let asked = 0;
    for (const { id } of groups.slice(0, GROUPS)) {
      const description = await this.session.client.describe(id).catch(() => undefined);
      for (const { user } of description?.members ?? []) {
        if (this.#members.size >= MEMBERS) return;
        if (this.#members.has(user.id)) continue;
        this.#members.set(user.id, user);
        if (this.session.names.known(user.id) || asked >= ASKED) continue;
        asked += 1;
        this.session.names.ask(user.id);
      }
    }
  }
}
