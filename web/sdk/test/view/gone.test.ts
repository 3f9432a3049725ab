/** What is gone, or was refused, is nowhere in the models of a user interface. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { conversationList, openTimeline } from '../../src/view/index.ts';
import { FakeClient, line, ME, message, PLACE, reaction } from '../support/fake-client.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 100_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

function scene() {
  const client = new FakeClient();
  const list = conversationList(client.api);
  const timeline = openTimeline(client.api, PLACE);
  const texts = () =>
    timeline.get().rows.flatMap((row) => (row.kind === 'message' ? [row.message.text] : []));
  const preview = () => list.row(PLACE).get()?.preview?.text;
  return { client, list, timeline, texts, preview };
}

test('a message leaves the list and the timeline when it is too old, with nobody writing', async () => {
  const { client, list, timeline, texts, preview } = scene();
  client.lines = [line({ lastSeq: 2 })];
  client.entries = [message(1, 'stays'), message(2, 'secret', { expiresMs: 105_000 })];
  let told = 0;
  list.subscribe(() => told++);
  const seen: string[][] = [];
  timeline.subscribe(() => seen.push(texts()));
  await settle();
  expect([preview(), texts()]).toEqual(['secret', ['stays', 'secret']]);
  const before = told;
  await vi.advanceTimersByTimeAsync(5_100);
  expect([preview(), texts()]).toEqual(['stays', ['stays']]);
  // Subscribers were told.
  expect(told).toBeGreaterThan(before);
  expect(seen.at(-1)).toEqual(['stays']);
});

test('what is erased by its age is no placeholder, and what answers it has nothing to quote', async () => {
  const { client, timeline, texts, preview } = scene();
  client.lines = [line({ lastSeq: 2 })];
  client.entries = [
    message(1, '', { deleted: true, expiresMs: 90_000 }),
    message(2, 'an answer', { replyTo: 1 }),
  ];
  await settle();
  expect([preview(), texts()]).toEqual(['an answer', ['an answer']]);
  const row = timeline.get().rows.find((it) => it.kind === 'message');
  expect(row?.kind === 'message' && row.quote).toEqual({ seq: 1, message: undefined });
});

test('a message that came while the chat is open goes as well', async () => {
  const { client, texts, preview } = scene();
  client.lines = [line({ lastSeq: 1 })];
  client.entries = [message(1, 'first')];
  await settle();
  client.push(message(2, 'secret', { expiresMs: 101_000 }));
  await settle();
  expect([preview(), texts()]).toEqual(['secret', ['first', 'secret']]);
  await vi.advanceTimersByTimeAsync(1_100);
  expect([preview(), texts()]).toEqual(['first', ['first']]);
});

test('a preview is looked for beyond what is done to messages', async () => {
  const { client, preview } = scene();
  client.lines = [line({ lastSeq: 61 })];
  client.entries = [message(1, 'the text')];
  for (let seq = 2; seq <= 61; seq++) client.entries.push(reaction(seq, 1, seq % 2 === 1));
  await settle();
  expect(preview()).toBe('the text');
});

test('a hidden message is no preview, in a session that did not hear of the hiding either', async () => {
  const { client, preview } = scene();
  client.lines = [line({ lastSeq: 2 })];
  client.hiddenSeqs = [2];
  client.entries = [message(1, 'seen'), message(2, '', { deleted: true })];
  await settle();
  expect(preview()).toBe('seen');
});

test('what is done to an old message moves no line', async () => {
  const { client, list } = scene();
  client.lines = [line({ lastSeq: 1, lastTimeMs: 1_000 })];
  client.entries = [message(1, 'old')];
  await settle();
  client.push(reaction(2, 1));
  client.tell({ type: 'conversation', conversation: line({ lastSeq: 2, lastTimeMs: 2_000 }) });
  expect(list.row(PLACE).get()?.timeMs).toBe(1_000);
  client.push(message(3, 'new'));
  client.tell({ type: 'conversation', conversation: line({ lastSeq: 3, lastTimeMs: 3_000 }) });
  expect(list.row(PLACE).get()?.timeMs).toBe(3_000);
});

test('a refused action leaves nothing in the list; a refused message does', async () => {
  const { client, list, preview } = scene();
  client.lines = [line({ lastSeq: 1 })];
  client.entries = [message(1, 'said')];
  const to = { type: 'conversation', conversation: PLACE } as const;
  const failed = { to, clientMessageId: '01', status: 'failed', queuedMs: 5 } as const;
  const react = { type: 'react', seq: 1, emoji: 'x' } as const;
  await settle();
  client.tell({ type: 'outbox', item: { ...failed, localId: 1, action: react } });
  expect([list.row(PLACE).get()?.failed, preview()]).toEqual([0, 'said']);
  const text = { type: 'text', text: 'mine' } as const;
  client.tell({
    type: 'outbox',
    item: { ...failed, clientMessageId: '02', localId: 2, action: text },
  });
  expect([list.row(PLACE).get()?.failed, preview()]).toEqual([1, 'mine']);
  expect(client.me).toBe(ME);
});
