/** A client without a server: what it is asked is answered from lists that a test fills. */

import { preferencesOf } from '../../src/convert.ts';
import type {
  ClientApi,
  Conversation,
  Entry,
  Event,
  HistoryOptions,
  HistoryPage,
  Listener,
  Message,
  OutboxItem,
  Range,
} from '../../src/types.ts';

export const ME = { id: 'me', name: 'me' };
export const ANN = { id: 'ann', name: 'ann' };
export const PLACE = 'place';

export const message = (seq: number, text: string, more: Partial<Message> = {}): Message => ({
  type: 'message',
  conversation: PLACE,
  seq,
  ordinal: seq,
  sender: ANN,
  text,
  timeMs: seq * 1_000,
  own: false,
  mentions: [],
  mentionsMe: false,
  forwarded: false,
  deleted: false,
  pinned: false,
  reactions: [],
  ...more,
});

export const reaction = (seq: number, target: number, removed = false): Entry => ({
  type: 'reaction',
  conversation: PLACE,
  seq,
  sender: ANN,
  timeMs: seq * 1_000,
  own: false,
  target,
  emoji: '👍',
  removed,
});

export function line(more: Partial<Conversation> = {}): Conversation {
  return {
    id: PLACE,
    kind: 'direct',
    peer: ANN,
    info: { title: '', description: '', picture: '' },
    members: 2,
    former: false,
    lastSeq: 0,
    unread: 0,
    mentions: 0,
    floor: 0,
    read: 0,
    peerDelivered: 0,
    peerRead: 0,
    lastTimeMs: 0,
    preferences: preferencesOf(undefined),
    request: false,
    ...more,
  };
}

export class FakeClient {
  readonly me = ME;
  entries: Entry[] = [];
  lines: Conversation[] = [];
  items: OutboxItem[] = [];
  hiddenSeqs: number[] = [];
  /** The first seq that the cache has. */
  cachedFrom = 0;
  readonly #listeners = new Set<Listener>();

  /** As the models take it: what is not here is not asked. */
  get api(): ClientApi {
    return this as unknown as ClientApi;
  }

  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** An entry comes. */
  push(entry: Entry): void {
    this.entries.push(entry);
    this.tell({ type: 'entry', entry });
  }

  async conversations(_: { readonly cached?: boolean } = {}): Promise<Conversation[]> {
    return this.lines;
  }

  async outbox(): Promise<OutboxItem[]> {
    return this.items;
  }

  async hidden(): Promise<number[]> {
    return this.hiddenSeqs;
  }

  async history(_: string, range: Range, options: HistoryOptions = {}): Promise<HistoryPage> {
    const { limit = 200 } = options;
    const below = range.type === 'before' ? range.seq : Number.POSITIVE_INFINITY;
    const from = options.cache === 'only' ? this.cachedFrom : 0;
    const all = this.entries.filter((entry) => entry.seq < below && entry.seq >= from);
    const entries = all.slice(-limit);
    const lastSeq = this.entries.at(-1)?.seq ?? 0;
    const atStart = entries.length === all.length && from <= 1;
    const atEnd = below > lastSeq;
    return {
      entries,
      quoted: [],
      atStart,
      atEnd,
      lastSeq,
      reactionsCut: false,
      fromCache: options.cache === 'only',
    };
  }
}
