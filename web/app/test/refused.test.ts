// What was refused, and what is gone, leaves nothing behind: notices, menus, notifications.

import type { ClientApi, Event, Message, OutboxItem } from '@parley/client';
import type { MessageRow } from '@parley/client/view';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { isGone } from '../src/app/notifications';
import { GRACE_MS, watchRefused } from '../src/app/refused';
import type { Session } from '../src/app/session.svelte';
import { messageMenu } from '../src/chat/conversation/message-menu';
import { Unsent } from '../src/chat/state/unsent.svelte';
import { closeNotice, shownNotices } from '../src/lib/ui/notices.svelte';

const to = { type: 'user', user: 'bob' } as const;
const item = (localId: number, more: Partial<OutboxItem> = {}): OutboxItem => ({
  localId,
  clientMessageId: `0${localId}`,
  to,
  action: { type: 'text', text: 'hello' },
  status: 'failed',
  error: { kind: 'refused', text: 'no', code: 311, name: 'forbidden', retry: 'stop' },
  queuedMs: 1,
  ...more,
});

class Client {
  items: OutboxItem[] = [];
  discarded: number[] = [];
  listeners = new Set<(event: Event) => void>();

  get api(): ClientApi {
    return this as unknown as ClientApi;
  }

  on(listener: (event: Event) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(event: Event): void {
    for (const listener of this.listeners) listener(event);
  }

  async outbox(): Promise<OutboxItem[]> {
    return this.items;
  }

  async discard(localId: number): Promise<void> {
    this.discarded.push(localId);
    this.items = this.items.filter((one) => one.localId !== localId);
  }
}

describe('refused sends', () => {
  let client: Client;
  let stop: () => void;
  beforeEach(() => {
    vi.useFakeTimers();
    client = new Client();
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
    for (const { id } of shownNotices()) closeNotice(id);
  });
  const watch = () => {
    stop = watchRefused({ client: client.api, slot: 0 });
    return vi.advanceTimersByTimeAsync(GRACE_MS + 1);
  };

  it('that are no messages are put away, with a word', async () => {
    const react = { type: 'react', seq: 1, emoji: 'x' } as const;
    client.items = [item(1, { action: react })];
    await watch();
    expect(client.discarded).toEqual([1]);
    expect(shownNotices().map(({ kind }) => kind)).toEqual(['error']);
  });

  it('that somebody waits for are left to them', async () => {
    await watch();
    const edit = item(2, { action: { type: 'edit', seq: 1, text: 'x' } });
    client.items = [edit];
    client.tell({ type: 'outbox', item: edit });
    client.items = [];
    await vi.advanceTimersByTimeAsync(GRACE_MS + 1);
    expect([client.discarded, shownNotices()]).toEqual([[], []]);
  });

  it('of messages stay, and those without a chat say where they are', async () => {
    const here = { type: 'conversation', conversation: 'c' } as const;
    client.items = [item(3), item(4, { to: here, conversation: 'c' })];
    await watch();
    expect(client.discarded).toEqual([]);
    expect(shownNotices().map((notice) => notice.action !== undefined)).toEqual([true]);
  });
});

test('what was written to somebody new is there until it is committed', async () => {
  const client = new Client();
  client.items = [item(1), item(2, { to: { type: 'user', user: 'carol' } })];
  const unsent = new Unsent(client.api, 'bob');
  client.tell({ type: 'outbox', item: item(3, { status: 'queued', error: undefined }) });
  await Promise.resolve();
  await Promise.resolve();
  expect(unsent.items.map(({ localId }) => localId)).toEqual([1, 3]);
  client.tell({ type: 'outboxDone', localId: 1, clientMessageId: '01' });
  expect(unsent.items.map(({ localId }) => localId)).toEqual([3]);
  unsent.close();
});

test('of a deleted message only its place can be taken away', () => {
  const message = { own: true, deleted: true, text: '', reactions: [] } as unknown as Message;
  const row = { kind: 'message', seq: 5, message } as MessageRow;
  const entries = (one: MessageRow) =>
    messageMenu(one, {
      session: {} as Session,
      group: true,
      canWrite: true,
      canPin: true,
      canDelete: true,
      anchor: { x: 0, y: 0 },
      actions: {} as never,
      pin: () => {},
      open: () => {},
      copyLink: () => '',
    }).map((entry) => entry.id);
  expect(entries(row)).toEqual(['delete']);
  const there = { ...row, message: { ...message, deleted: false, text: 'x' } };
  expect(entries(there)).toContain('edit');
});

describe('a notification', () => {
  const about = { path: '/', conversation: 'c', seq: 5 };
  const line = (read: number, clearedUpTo = 0, id = 'c') =>
    ({ type: 'conversation', conversation: { id, read, preferences: { clearedUpTo } } }) as Event;
  const entry = (more: object) =>
    ({ type: 'entry', entry: { conversation: 'c', ...more } }) as Event;
  it.each<[string, Event, boolean]>([
    ['read elsewhere', line(5), true],
    ['read up to before it', line(4), false],
    ['read in another chat', line(9, 0, 'd'), false],
    ['cleared by the reader', line(0, 7), true],
    ['hidden', { type: 'hidden', conversation: 'c', seqs: [4, 5] }, true],
    ['another one hidden', { type: 'hidden', conversation: 'c', seqs: [4] }, false],
    ['gone by its age', { type: 'cleared', conversation: 'c', upTo: 5 }, true],
    ['deleted', entry({ type: 'deletion', target: 5 }), true],
    ['another one deleted', entry({ type: 'deletion', target: 4 }), false],
    ['answered', entry({ type: 'message', seq: 6 }), false],
  ])('goes when its message is %s', (_, event, gone) => {
    expect(isGone(about, event)).toBe(gone);
  });
});
