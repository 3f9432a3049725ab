// What was written and not sent, kept in this browser over reloads and expired sign-ins. The server keeps a copy
// for the other devices (Preferences.draft), which is shorter and later.

export interface Draft {
  readonly text: string;
  readonly replyTo?: number | undefined;
  /** An edit of this message is being written. */
  readonly editing?: number | undefined;
  /** The server's draft when this was stored: if it is this text, the server's draft is newer or the same. */
  readonly told?: string | undefined;
}

const PREFIX = 'parley.draft';

export class Drafts {
  constructor(private readonly user: string) {}

  #key(conversation: string): string {
    return `${PREFIX}.${this.user}.${conversation}`;
  }

  get(conversation: string): Draft | undefined {
    try {
      const read: unknown = JSON.parse(localStorage.getItem(this.#key(conversation)) ?? 'null');
      if (read === null || typeof read !== 'object') return undefined;
      const { text, replyTo, editing, told } = read as Record<string, unknown>;
      if (typeof text !== 'string') return undefined;
      return {
        text,
        replyTo: typeof replyTo === 'number' ? replyTo : undefined,
        editing: typeof editing === 'number' ? editing : undefined,
        told: typeof told === 'string' ? told : undefined,
      };
    } catch {
      return undefined; // storage is forbidden, or holds something odd
    }
  }

  set(conversation: string, draft: Draft): void {
    const key = this.#key(conversation);
    try {
      const nothing = draft.text === '' && draft.replyTo === undefined && !draft.told;
      if (nothing) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(draft));
    } catch {
      // Full or forbidden: the draft lasts until the page goes.
    }
  }
}

/** Forgets all drafts of a user: at sign-out. */
export function forgetDrafts(user: string): void {
  try {
    const mine = Object.keys(localStorage).filter((key) => key.startsWith(`${PREFIX}.${user}.`));
    for (const key of mine) localStorage.removeItem(key);
  } catch {
    // Nothing could be stored either.
  }
}
