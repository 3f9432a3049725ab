// The way through the unread mentions of a conversation, oldest first.

import type { ClientApi } from '@parley/client';

/** Mentions asked for at once: more unread ones than this are found when these are read. */
const MOST = 50;

export class UnreadMentions {
  #last = 0;

  constructor(
    private readonly client: Pick<ClientApi, 'history'>,
    private readonly conversation: string,
  ) {}

  /** The seq of the next one after the one given before, around the end; nothing when none is left. */
  async next(count: number, read: number, lastSeq: number): Promise<number | undefined> {
    const limit = Math.min(count, MOST);
    if (limit <= 0) return undefined;
    const range = { type: 'mentionsBefore', seq: lastSeq + 1 } as const;
    const { entries } = await this.client.history(this.conversation, range, { limit });
    const seqs = entries
      .filter((entry) => entry.type === 'message' && !entry.own && entry.seq > read)
      .map(({ seq }) => seq)
      .sort((a, b) => a - b);
    const next = seqs.find((seq) => seq > this.#last) ?? seqs[0];
    this.#last = next ?? 0;
    return next;
  }
}
