// Drafts reach the server also when the network is away, the composer is gone or the page was loaded anew.

import { ParleyError } from '@parley/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AGAIN_MS, DraftTeller } from '../../src/chat/state/draft-teller';
import type { Draft } from '../../src/chat/state/drafts';

let stored: Map<string, Draft>;
let said: string[];
let refusals: ('timeout' | 'refused')[];

beforeEach(() => {
  vi.useFakeTimers();
  stored = new Map();
  said = [];
  refusals = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function teller(untold: { id: string; text: string }[] = []): DraftTeller {
  const setPreferences = async (id: string, { draft }: { draft?: string | undefined }) => {
    const kind = refusals.shift();
    if (kind) throw new ParleyError({ kind, text: '' });
    said.push(`${id} ${draft}`);
  };
  return new DraftTeller(
    { setPreferences },
    {
      get: (id) => stored.get(id),
      set: (id, draft) => void stored.set(id, draft),
      untold: () => untold,
    },
  );
}

test('a draft that timed out is told again, the newest only, until the server has it', async () => {
  stored.set('c', { text: '', told: 'sent' });
  refusals = ['timeout', 'timeout'];
  const drafts = teller();
  drafts.tell('c', 'written', undefined);
  drafts.tell('c', '', undefined);
  await vi.advanceTimersByTimeAsync(AGAIN_MS * 3);
  expect(said).toEqual(['c ']);
  expect(stored.get('c')?.told).toBe('');
  await vi.advanceTimersByTimeAsync(AGAIN_MS * 3);
  expect(said.length).toBe(1);
});

test('one that is refused for good is left', async () => {
  refusals = ['refused'];
  const drafts = teller();
  drafts.tell('c', 'x', undefined);
  await vi.advanceTimersByTimeAsync(AGAIN_MS * 3);
  expect(said).toEqual([]);
  drafts.tell('c', 'y', undefined);
  await vi.advanceTimersByTimeAsync(1);
  expect(said).toEqual(['c y']);
});

test('what an earlier page did not get told is told', async () => {
  teller([{ id: 'c', text: '' }]);
  await vi.advanceTimersByTimeAsync(1);
  expect(said).toEqual(['c ']);
});

test('nothing is told after the session ended', async () => {
  refusals = ['timeout'];
  const drafts = teller();
  drafts.tell('c', 'x', undefined);
  await vi.advanceTimersByTimeAsync(1);
  drafts.close();
  await vi.advanceTimersByTimeAsync(AGAIN_MS * 3);
  expect(said).toEqual([]);
});
