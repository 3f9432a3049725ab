// Who is in a conversation and how it works, kept up to date while somebody looks at it.

import type { ClientApi, Description, Member, User } from '@parley/client';

export class Roster {
  description = $state.raw<Description>();
  failed = $state(false);
  readonly #stop: () => void;
  #again = false;
  #loading = false;

  constructor(
    private readonly client: ClientApi,
    readonly conversation: string,
  ) {
    this.#stop = client.on((event) => {
      const changed =
        (event.type === 'entry' &&
          event.entry.conversation === conversation &&
          (event.entry.type === 'change' || event.entry.type === 'pin')) ||
        (event.type === 'outboxDone' && event.sent?.conversation === conversation) ||
        (event.type === 'state' && event.state.type === 'ready');
      if (changed) void this.load();
    });
    void this.load();
  }

  /** Asks anew; while one answer is awaited, one more question is enough. */
  async load(): Promise<void> {
    if (this.#loading) {
      this.#again = true;
      return;
    }
    this.#loading = true;
    try {
      this.description = await this.client.describe(this.conversation);
      this.failed = false;
    } catch {
      this.failed = this.description === undefined;
    } finally {
      this.#loading = false;
      if (this.#again) {
        this.#again = false;
        void this.load();
      }
    }
  }

  get members(): readonly Member[] {
    return this.description?.members ?? [];
  }

  get own(): Member | undefined {
    const me = this.client.me?.id;
    return this.members.find((member) => member.user.id === me);
  }

  /** By unique name. */
  get byName(): Map<string, User> {
    return new Map(this.members.map(({ user }) => [user.name, user]));
  }

  /** Whether the user may do what members or admins may. */
  may(who: 'send' | 'add' | 'editInfo'): boolean {
    const { description, own } = this;
    if (!description || description.former || !own) return false;
    if (description.kind === 'direct') return who !== 'add';
    return own.role !== 'member' || description.settings[who] === 'members';
  }

  get isAdmin(): boolean {
    return (
      this.description?.kind === 'group' && this.own !== undefined && this.own.role !== 'member'
    );
  }

  get isOwner(): boolean {
    return this.description?.kind === 'group' && this.own?.role === 'owner';
  }

  close(): void {
    this.#stop();
  }
}
