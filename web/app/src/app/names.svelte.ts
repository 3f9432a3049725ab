// Display names of people, from their profiles: kept in this browser, so that they are right at once and without a
// network; asked for when somebody is shown; followed while they are.

import type { ClientApi, Profile, User } from '@parley/client';
import type { KeptPerson, PeopleStore } from '@parley/client/cache';
import { shownName } from '@parley/client/text';
import type { PresenceView } from '@parley/client/view';
import { SvelteMap } from 'svelte/reactivity';
import { t } from '../i18n';

/** How many people are asked about at the same time. */
const AT_ONCE = 4;
/** How many profiles are kept; beyond that the oldest is forgotten. */
const KEPT = 2_000;
/** After a failure, that person isn't asked about for so long. */
const AGAIN_MS = 60_000;
/** What an earlier page heard is asked for again when it is older. */
const STALE_MS = 60_000;
/** What this page heard holds for so long, for those of whom no change is told. */
const HOLDS_MS = 600_000;
/** Of so many of those shown last, every change is told. */
const FOLLOWED = 100;

export interface NamesOptions {
  /** Where names are kept. */
  readonly store?: PeopleStore | undefined;
  /** The server tells changes of those whose presence is followed. */
  readonly presence?: PresenceView | undefined;
}

export class Names {
  readonly #profiles = new SvelteMap<string, Profile>();
  /** From when on somebody may be asked about again. */
  readonly #askFrom = new Map<string, number>();
  readonly #waiting: string[] = [];
  /** Those shown, the last one last, with what ends the following. */
  readonly #followed = new Map<string, () => void>();
  readonly #toKeep = new Map<string, KeptPerson>();
  #running = 0;
  #closed = false;

  constructor(
    private readonly client: ClientApi,
    private readonly me: User,
    private readonly options: NamesOptions = {},
  ) {}

  /** Takes what an earlier page kept. Never rejects. */
  async load(): Promise<void> {
    const kept = (await this.options.store?.load()) ?? [];
    // The newest last: it is forgotten last.
    for (const person of kept.reverse()) {
      if (this.#profiles.has(person.id)) continue;
      this.#profiles.set(person.id, profileOf(person));
      this.#askFrom.set(person.id, person.heardMs + STALE_MS);
    }
  }

  /** What to show for a person. Reactive: it is the name at first, and the display name once that is known. */
  of(user: User): string {
    this.profile(user.id);
    return this.called(user);
  }

  /** The same for those that are not shown: nobody is asked. Reactive. */
  called(user: User): string {
    const profile = this.#profiles.get(user.id);
    if (profile?.deleted) return t('people.deleted');
    const name = shownName(profile?.displayName ?? '') || profile?.user.name || user.name;
    // Where no name is known the id stands for it, which tells nobody anything.
    return name === user.id ? t('chat.somebody') : name;
  }

  /** Their profile as far as known; asked for when it isn't, or was long ago. */
  profile(userId: string): Profile | undefined {
    this.#want(userId);
    this.#follow(userId);
    return this.#profiles.get(userId);
  }

  /** Their profile as far as known; nobody is asked. Reactive. */
  known(userId: string): Profile | undefined {
    return this.#profiles.get(userId);
  }

  /** Asks for somebody who is not shown yet. */
  ask(userId: string): void {
    this.#want(userId);
  }

  isMe(userId: string): boolean {
    return userId === this.me.id;
  }

  /** Profiles that came in another way. */
  learn(...profiles: readonly Profile[]): void {
    const now = Date.now();
    for (const profile of profiles) {
      const { id, name } = profile.user;
      this.#askFrom.set(id, now + HOLDS_MS);
      if (!isSame(this.#profiles.get(id), profile)) this.#profiles.set(id, profile);
      const { displayName, deleted } = profile;
      this.#keep({ id, name, displayName, deleted, heardMs: now });
    }
    for (const id of this.#profiles.keys()) {
      if (this.#profiles.size <= KEPT) break;
      this.#profiles.delete(id);
    }
  }

  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#toKeep.clear();
    for (const stop of this.#followed.values()) stop();
    this.#followed.clear();
    this.options.store?.close();
  }

  #keep(person: KeptPerson): void {
    if (this.#closed || !this.options.store) return;
    if (this.#toKeep.size === 0) {
      setTimeout(() => {
        const people = [...this.#toKeep.values()];
        this.#toKeep.clear();
        void this.options.store?.put(people);
      });
    }
    this.#toKeep.set(person.id, person);
  }

  #follow(id: string): void {
    const stop = this.#followed.get(id);
    if (stop) {
      this.#followed.delete(id);
      this.#followed.set(id, stop);
      return;
    }
    const { presence } = this.options;
    if (!presence || id === this.me.id || this.#closed) return;
    this.#followed.set(id, () => {});
    // Later, since this is called while something is drawn.
    queueMicrotask(() => {
      if (!this.#followed.has(id)) return;
      this.#followed.set(
        id,
        presence.of(id).subscribe(() => {}),
      );
      for (const [oldest, end] of this.#followed) {
        if (this.#followed.size <= FOLLOWED) break;
        this.#followed.delete(oldest);
        end();
      }
    });
  }

  #want(id: string): void {
    const now = Date.now();
    if ((this.#askFrom.get(id) ?? 0) > now || this.#waiting.length >= KEPT || this.#closed) return;
    if (this.#askFrom.size > 2 * KEPT) this.#askFrom.clear();
    this.#askFrom.set(id, now + AGAIN_MS);
    this.#waiting.push(id);
    queueMicrotask(() => this.#run());
  }

  #run(): void {
    while (this.#running < AT_ONCE) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      this.#running++;
      this.client
        .profile(id)
        .then((profile) => this.learn(profile))
        .catch(() => undefined)
        .finally(() => {
          this.#running--;
          this.#run();
        });
    }
  }
}

function profileOf({ id, name, displayName, deleted }: KeptPerson): Profile {
  const user = { id, name };
  return { user, displayName, about: '', picture: '', phone: '', email: '', deleted };
}

function isSame(a: Profile | undefined, b: Profile): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
