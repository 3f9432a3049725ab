// What was written and not sent, kept in this browser over reloads and expired sign-ins. The server keeps a copy
// for the other devices (Preferences.draft), which is shorter and later.

export interface Draft {
  readonly text: string;
  readonly replyTo?: number | undefined;
  /** An edit of this message is being written. */
  readonly editing?: number | undefined;
  /** What was begun before that edit. */
  readonly aside?: { readonly text: string; readonly replyTo?: number | undefined } | undefined;
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
      const { text, replyTo, editing, aside, told } = read as Record<string, unknown>;
      if (typeof text !== 'string') return undefined;
      return {
        text,
        replyTo: typeof replyTo === 'number' ? replyTo : undefined,
        editing: typeof editing === 'number' ? editing : undefined,
        aside: asideOf(aside),
        told: typeof told === 'string' ? told : undefined,
      };
    } catch {
      return undefined; // storage is forbidden, or holds something odd
    }
  }

  /** Those of conversations of which the server does not have what is written. */
  untold(): { id: string; text: string; replyTo?: number | undefined }[] {
    const prefix = this.#key('');
    try {
      const ids = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
      return ids.flatMap((key) => {
        const id = key.slice(prefix.length);
        const draft = this.get(id);
        // What is written to somebody new has no place on the server.
        if (!draft || id.startsWith('user.') || draft.told === undefined) return [];
        const { text, replyTo } = draft.editing === undefined ? draft : (draft.aside ?? draft);
        return text === draft.told || (draft.editing !== undefined && !draft.aside)
          ? []
          : [{ id, text, replyTo }];
      });
    } catch {
      return [];
    }
  }

  set(conversation: string, draft: Draft): void {
    const key = this.#key(conversation);
    try {
      const nothing =
        draft.editing === undefined &&
        draft.text === '' &&
        draft.replyTo === undefined &&
        !draft.told;
      if (nothing) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(draft));
    } catch {
      // Full or forbidden: the draft lasts until the page goes.
    }
  }
}

function asideOf(read: unknown): Draft['aside'] {
  if (read === null || typeof read !== 'object') return undefined;
  const { text, replyTo } = read as Record<string, unknown>;
  if (typeof text !== 'string') return undefined;
  return { text, replyTo: typeof replyTo === 'number' ? replyTo : undefined };
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
