// Tells the server drafts until it has them: also when the composer they come from is gone, the network is away for
// longer than a request waits, or the page was loaded anew in between.

import { type ClientApi, ParleyError } from '@parley/client';
import type { Drafts } from './drafts';

/** After a failure that may pass, so long until the next try. */
export const AGAIN_MS = 5_000;

interface Wanted {
  readonly text: string;
  readonly replyTo: number | undefined;
}

export class DraftTeller {
  readonly #wanted = new Map<string, Wanted>();
  readonly #telling = new Set<string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #closed = false;

  constructor(
    private readonly client: Pick<ClientApi, 'setPreferences'>,
    private readonly drafts: Pick<Drafts, 'get' | 'set' | 'untold'>,
  ) {
    for (const { id, text, replyTo } of drafts.untold()) this.tell(id, text, replyTo);
  }

  /** The server's draft of a conversation is to be this. */
  tell(id: string, text: string, replyTo: number | undefined): void {
    this.#wanted.set(id, { text, replyTo });
    void this.#tell(id);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #tell(id: string): Promise<void> {
    const wanted = this.#wanted.get(id);
    if (!wanted || this.#closed || this.#telling.has(id)) return;
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#telling.add(id);
    let again = false;
    try {
      const { text, replyTo = 0 } = wanted;
      await this.client.setPreferences(id, { draft: text, draftReplyTo: replyTo });
      const stored = this.drafts.get(id);
      if (stored?.text === text) this.drafts.set(id, { ...stored, told: text });
    } catch (error) {
      again = ParleyError.from(error).isRetryable;
    }
    this.#telling.delete(id);
    const isNewer = this.#wanted.get(id) !== wanted;
    if (isNewer) void this.#tell(id);
    else if (again && !this.#closed) {
      this.#timers.set(
        id,
        setTimeout(() => void this.#tell(id), AGAIN_MS),
      );
    } else this.#wanted.delete(id);
  }
}
