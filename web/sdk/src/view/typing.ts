/** Who writes where, and who is there. */

import type { ClientApi, Presence, Typing, User } from '../types.ts';
import { type Schedule, Snapshot } from './observable.ts';
import type { PresenceView, Readable, TypingView } from './types.ts';

const NOBODY: readonly User[] = [];

/** Who writes, by conversation. The client says when it is over. */
export class TypingMap {
  readonly #users = new Map<string, readonly User[]>();

  in(conversation: string): readonly User[] {
    return this.#users.get(conversation) ?? NOBODY;
  }

  handle({ conversation, user, active }: Typing): void {
    const others = this.in(conversation).filter((other) => other.id !== user.id);
    if (active) this.#users.set(conversation, [...others, user]);
    else if (others.length > 0) this.#users.set(conversation, others);
    else this.#users.delete(conversation);
  }

  /** The connection is gone, and nobody says any more when it is over. Returns where it was. */
  clear(): string[] {
    const where = [...this.#users.keys()];
    this.#users.clear();
    return where;
  }
}

/** Follows who writes. */
export function typing(client: ClientApi, schedule?: Schedule): TypingView {
  const map = new TypingMap();
  const cells = new Map<string, Snapshot<readonly User[]>>();
  const off = client.on((event) => {
    if (event.type === 'typing') {
      map.handle(event.typing);
      cells.get(event.typing.conversation)?.invalidate();
    } else if (event.type === 'state' && event.state.type !== 'ready') {
      for (const id of map.clear()) cells.get(id)?.invalidate();
    }
  });
  return {
    in(conversation: string): Readable<readonly User[]> {
      const cell = cells.get(conversation) ?? new Snapshot(() => map.in(conversation), schedule);
      cells.set(conversation, cell);
      return cell;
    },
    close: off,
  };
}

/** Follows who is there: those somebody is subscribed to, and nobody else. */
export function presence(client: ClientApi, schedule?: Schedule): PresenceView {
  const known = new Map<string, Presence>();
  const cells = new Map<string, Snapshot<Presence | undefined>>();
  const take = (state: Presence): void => {
    known.set(state.user.id, state);
    cells.get(state.user.id)?.invalidate();
  };
  const off = client.on((event) => {
    if (event.type === 'presence') take(event.presence);
  });
  const watch = (user: string) => (): (() => void) => {
    // Without an answer nothing is known, and nothing is shown.
    client.subscribePresence([user]).then(
      (states) => states.forEach(take),
      () => {},
    );
    return () => {
      known.delete(user);
      client.unsubscribePresence([user]).catch(() => {});
    };
  };
  return {
    of(user: string): Readable<Presence | undefined> {
      const cell = cells.get(user) ?? new Snapshot(() => known.get(user), schedule, watch(user));
      cells.set(user, cell);
      return cell;
    },
    close: off,
  };
}
