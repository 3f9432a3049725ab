// Display names of people, from their profiles: asked for once, when somebody is shown.

import type { ClientApi, Profile, User } from '@parley/client';
import { SvelteMap } from 'svelte/reactivity';
import { t } from '../i18n';

/** How many people are asked about at the same time. */
const AT_ONCE = 4;
/** How many profiles are kept; beyond that the oldest is forgotten. */
const KEPT = 2_000;
/** After a failure, that person isn't asked about for so long. */
const AGAIN_MS = 60_000;

export class Names {
  readonly #profiles = new SvelteMap<string, Profile>();
  readonly #asked = new Map<string, number>();
  readonly #waiting: string[] = [];
  #running = 0;

  constructor(
    private readonly client: ClientApi,
    private readonly me: User,
  ) {}

  /** What to show for a person. Reactive: it is the name at first, and the display name once that is known. */
  of(user: User): string {
    const profile = this.#profiles.get(user.id);
    if (profile === undefined) this.#want(user.id);
    if (profile?.deleted) return t('people.deleted');
    return cleanName(profile?.displayName ?? '') || profile?.user.name || user.name;
  }

  /** Their profile as far as known; asked for when it isn't. */
  profile(userId: string): Profile | undefined {
    const profile = this.#profiles.get(userId);
    if (profile === undefined) this.#want(userId);
    return profile;
  }

  isMe(userId: string): boolean {
    return userId === this.me.id;
  }

  /** Profiles that came in another way. */
  learn(...profiles: readonly Profile[]): void {
    for (const profile of profiles) {
      this.#profiles.set(profile.user.id, profile);
      this.#asked.delete(profile.user.id);
    }
    for (const id of this.#profiles.keys()) {
      if (this.#profiles.size <= KEPT) break;
      this.#profiles.delete(id);
    }
  }

  #want(id: string): void {
    const now = Date.now();
    if ((this.#asked.get(id) ?? 0) > now || this.#waiting.length >= KEPT) return;
    if (this.#asked.size > KEPT) this.#asked.clear();
    this.#asked.set(id, now + AGAIN_MS);
    this.#waiting.push(id);
    // Later, since this is called while something is drawn.
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

/** A name for one line: without characters that turn or break the text around it. */
export function cleanName(name: string): string {
  return name
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/[\p{Cc}\u2028\u2029\u200b\ufeff]+/gu, ' ')
    .trim();
}
