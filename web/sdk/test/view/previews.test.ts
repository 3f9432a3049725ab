/** The last thing said, behind what was only done to messages. */

import { expect, test, vi } from 'vitest';
import { conversationList } from '../../src/view/index.ts';
import { FakeClient, line, message, PLACE, reaction } from '../support/fake-client.ts';

/** One message, and reactions that came and went again. */
function busy(reactions: number): FakeClient {
  const client = new FakeClient();
  client.entries = [message(1, 'hello')];
  for (let seq = 2; seq < reactions + 2; seq++)
    client.entries.push(reaction(seq, 1, seq % 2 === 1));
  client.lines = [line({ lastSeq: reactions + 1, read: reactions + 1 })];
  return client;
}

async function preview(client: FakeClient): Promise<string | undefined> {
  const list = conversationList(client.api);
  try {
    await vi.waitFor(() => expect(list.row(PLACE).get()?.preview).toBeDefined());
  } catch {
    // There is none.
  } finally {
    list.close();
  }
  return list.row(PLACE).get()?.preview?.text;
}

test('a message is found behind any page of reactions', async () => {
  expect(await preview(busy(22))).toBe('hello');
  expect(await preview(busy(300))).toBe('hello');
});

test('a cache that begins after it is no word on what was said', async () => {
  for (const cachedFrom of [2, 12]) {
    const client = busy(22);
    client.cachedFrom = cachedFrom;
    // The server answers when the cache was looked through.
    client.conversations = async (options?: { cached?: boolean }) => {
      if (!options?.cached) await new Promise((resolve) => setTimeout(resolve, 50));
      return client.lines;
    };
    expect(await preview(client)).toBe('hello');
  }
});
