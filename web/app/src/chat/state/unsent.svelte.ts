// What was written to somebody with whom there is no conversation yet, and did not get there so far. A conversation
// shows its own; these have no other place to be seen.

import type { ClientApi, OutboxItem } from '@parley/client';

export class Unsent {
  /** In the order of writing. */
  items = $state.raw<readonly OutboxItem[]>([]);
  readonly #stop: () => void;

  constructor(client: ClientApi, user: string) {
    const isHere = ({ to, action, conversation }: OutboxItem): boolean =>
      to.type === 'user' && to.user === user && action.type === 'text' && !conversation;
    const put = (item: OutboxItem) => {
      const others = this.items.filter((other) => other.localId !== item.localId);
      this.items = [...others, item].sort((a, b) => a.localId - b.localId);
    };
    const done = new Set<number>();
    this.#stop = client.on((event) => {
      if (event.type === 'outbox' && isHere(event.item)) put(event.item);
      if (event.type !== 'outboxDone') return;
      done.add(event.localId);
      this.items = this.items.filter((item) => item.localId !== event.localId);
    });
    void client
      .outbox()
      .then((all) => {
        const known = new Set([...done, ...this.items.map((item) => item.localId)]);
        for (const item of all) if (isHere(item) && !known.has(item.localId)) put(item);
      })
      .catch(() => undefined);
  }

  close(): void {
    this.#stop();
  }
}
