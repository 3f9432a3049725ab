/** Where a chat opens and where its unread line stands, whatever devices wrote before. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Entry, HistoryOptions, HistoryPage, Range } from '../../src/types.ts';
import { firstUnread } from '../../src/view/first-unread.ts';
import { openTimeline } from '../../src/view/index.ts';
import { FakeClient, line, ME, message, PLACE, reaction } from '../support/fake-client.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 100_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Answers from the whole log, as the server does. */
class Server extends FakeClient {
  asked = 0;

  override async history(
    _: string,
    range: Range,
    options: HistoryOptions = {},
  ): Promise<HistoryPage> {
    const { limit = 200 } = options;
    this.asked++;
    const lastSeq = this.entries.at(-1)?.seq ?? 0;
    const to =
      range.type === 'before'
        ? range.seq - 1
        : range.type === 'around'
          ? Math.min(lastSeq, range.seq + limit / 2 - 1)
          : lastSeq;
    const entries = options.cache === 'only' ? [] : this.entries.slice(Math.max(0, to - limit), to);
    return {
      entries,
      quoted: [],
      atStart: entries[0]?.seq === 1,
      atEnd: to >= lastSeq,
      lastSeq,
      reactionsCut: false,
      fromCache: options.cache === 'only',
    };
  }
}

/** A log of texts of others, in which every few entries are reactions. */
function log(messages: number, reactionsEach: (ordinal: number) => number): Entry[] {
  const entries: Entry[] = [];
  for (let ordinal = 1; ordinal <= messages; ordinal++) {
    const seq = entries.length + 1;
    entries.push(message(seq, `n${ordinal}`, { ordinal }));
    for (let i = 0; i < reactionsEach(ordinal); i++)
      entries.push(reaction(entries.length + 1, seq));
  }
  return entries;
}

test.each([
  ['messages only', 5_000, () => 0],
  ['one reaction each', 5_000, () => 1],
  ['many reactions at the end', 3_000, (n: number) => (n > 2_900 ? 30 : 0)],
  ['many reactions at the beginning', 3_000, (n: number) => (n < 200 ? 30 : 0)],
] as const)('the first unread message is found with a few pages: %s', async (_, count, each) => {
  const server = new Server();
  server.entries = log(count, each);
  const lastSeq = server.entries.length;
  for (const floor of [1, 50, 700, count - 300, count - 1]) {
    server.asked = 0;
    const seq = await firstUnread({ floor, read: 0, lastSeq }, (range, limit) =>
      server.history(PLACE, range, { limit }),
    );
    const true_ = server.entries.findIndex((e) => e.type === 'message' && e.ordinal > floor) + 1;
    expect(Math.abs(seq - true_)).toBeLessThan(40);
    expect(server.asked).toBeLessThan(13);
  }
});

test('the chat opens after the last own message, which no device reported as read', async () => {
  const server = new Server();
  server.entries = log(420, () => 0);
  for (const mine of [90, 400])
    server.entries[mine - 1] = message(mine, 'mine', { sender: ME, own: true });
  server.lines = [line({ kind: 'group', lastSeq: 420, unread: 20, read: 1, floor: 400 })];
  const timeline = openTimeline(server.api, PLACE);
  await vi.advanceTimersByTimeAsync(0);
  const { rows, openAt, phase } = timeline.get();
  expect([phase, openAt]).toEqual(['live', 'unread']);
  const at = rows.findIndex((row) => row.kind === 'unread');
  expect(rows[at]).toMatchObject({ count: 20 });
  expect(rows[at + 1]).toMatchObject({ seq: 401 });
});
