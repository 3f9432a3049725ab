// Which draft stays when field, browser and server differ, and what the server is told when.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  DRAFT_CHARS,
  DRAFT_MS,
  DraftSync,
  type Here,
  opensWithStored,
  remoteDraftWins,
} from '../../src/chat/composer/draft-sync';
import { EditMode } from '../../src/chat/composer/edit-mode.svelte';
import type { Draft } from '../../src/chat/state/drafts';

describe('opensWithStored', () => {
  const cases: [string, Draft | undefined, boolean][] = [
    ['nothing is stored', undefined, false],
    ['the server was told of it', { text: 'a', told: 'a' }, false],
    ['the server was told something else', { text: 'b', told: 'a' }, true],
    ['the server was never told', { text: 'b' }, true],
    ['it is an edit', { text: 'a', told: 'a', editing: 7 }, true],
    ['it was emptied and the server does not know', { text: '', told: 'a' }, true],
  ];
  test.each(cases)('%s', (_, stored, wins) => {
    expect(opensWithStored(stored)).toBe(wins);
  });
});

describe('remoteDraftWins', () => {
  const here: Here = {
    written: { text: 'a', replyTo: undefined, editing: undefined },
    synced: { text: 'a', replyTo: undefined },
    told: ['a'],
    touched: false,
    focused: false,
  };
  const cases: [string, Partial<Here>, boolean][] = [
    ['the field has what both know', {}, true],
    ['it is an echo', { told: ['theirs', 'a'] }, false],
    ['the text is not on the server yet', { synced: { text: 'b', replyTo: undefined } }, false],
    ['the answer is not on the server yet', { synced: { text: 'a', replyTo: 3 } }, false],
    ['an edit is written', { written: { ...here.written, editing: 7 } }, false],
    ['the user wrote and the caret is there', { touched: true, focused: true }, false],
    ['the user wrote and went elsewhere', { touched: true }, true],
    ['the caret is there before the first key', { focused: true }, true],
  ];
  test.each(cases)('%s', (_, change, wins) => {
    expect(remoteDraftWins('theirs', { ...here, ...change })).toBe(wins);
  });
});

describe('DraftSync', () => {
  let mode: EditMode;
  let stored: Map<string, Draft>;
  let told: [string, number | undefined][];

  beforeEach(() => {
    vi.useFakeTimers();
    mode = new EditMode();
    stored = new Map();
    told = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const draft = (text: string, replyTo?: number) => ({ text, replyTo });

  function opened(remote = draft(''), server = true): DraftSync {
    const sync = new DraftSync(mode, {
      id: 'c',
      stored: {
        get: (id) => stored.get(id),
        set: (id, one) => void stored.set(id, one),
      },
      tell: server ? (text, replyTo) => void told.push([text, replyTo]) : undefined,
    });
    sync.open(remote);
    return sync;
  }

  function type(sync: DraftSync, text: string): void {
    mode.text = text;
    sync.touch();
    sync.changed();
  }

  test("opens with the server's draft", () => {
    stored.set('c', { text: 'old', told: 'old' });
    opened(draft('newer', 4));
    expect(mode.written).toEqual({ text: 'newer', replyTo: 4, editing: undefined });
    vi.runAllTimers();
    expect(told).toEqual([]);
  });

  test('opens with what the server has not heard, and tells it', () => {
    stored.set('c', { text: 'unsaid', replyTo: 4, told: 'old' });
    opened(draft('old'));
    expect(mode.written).toEqual({ text: 'unsaid', replyTo: 4, editing: undefined });
    vi.runAllTimers();
    expect(told).toEqual([['unsaid', 4]]);
  });

  test('the browser keeps each change, the server hears once nothing changes any more', () => {
    const sync = opened();
    type(sync, 'h');
    vi.advanceTimersByTime(DRAFT_MS - 1);
    type(sync, 'hi');
    expect(stored.get('c')).toEqual({ text: 'hi', told: '' });
    vi.advanceTimersByTime(DRAFT_MS - 1);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual([['hi', undefined]]);
    // As the server has it already, it is not told again.
    sync.close();
    expect(told.length).toBe(1);
  });

  test('what is taken away right after a reload is taken away on the server', () => {
    stored.set('c', { text: 'unsaid', told: '' });
    const sync = opened();
    mode.take();
    sync.store();
    sync.tell();
    vi.runAllTimers();
    expect(told).toEqual([
      ['unsaid', undefined],
      ['', undefined],
    ]);
    expect(stored.get('c')?.text).toBe('');
  });

  test('closing tells at once what is not on the server', () => {
    const sync = opened();
    type(sync, 'bye');
    sync.close();
    expect(told).toEqual([['bye', undefined]]);
    vi.runAllTimers();
    expect(told.length).toBe(1);
  });

  test('while an edit is written, the server has the draft that was set aside', () => {
    const sync = opened();
    type(sync, 'begun');
    mode.edit({ seq: 7, text: 'seven' });
    sync.changed();
    vi.runAllTimers();
    expect(told).toEqual([['begun', undefined]]);
    expect(stored.get('c')).toMatchObject({ text: 'seven', editing: 7 });
  });

  test('the server keeps the beginning of a long draft, the browser all of it', () => {
    const sync = opened();
    const long = '🦀'.repeat(DRAFT_CHARS + 5);
    type(sync, long);
    vi.runAllTimers();
    expect(told).toEqual([['🦀'.repeat(DRAFT_CHARS), undefined]]);
    expect(stored.get('c')?.text).toBe(long);
  });

  test('what is sent is stored as gone at once, and told after it was queued', () => {
    const sync = opened();
    type(sync, 'hello');
    vi.runAllTimers();
    mode.take();
    sync.store();
    expect(stored.get('c')?.text).toBe('');
    vi.runAllTimers();
    expect(told).toEqual([['hello', undefined]]);
    sync.tell();
    expect(told.at(-1)).toEqual(['', undefined]);
  });

  test('an echo is no draft from elsewhere, however late it comes', () => {
    const sync = opened();
    for (const text of ['one', 'two']) {
      type(sync, text);
      vi.runAllTimers();
    }
    expect(sync.heard(draft('one'), false)).toBe(false);
    expect(mode.text).toBe('two');
    // Now the server's draft is known to be what is stored, also after a reload.
    expect(sync.heard(draft('two'), false)).toBe(false);
    expect(stored.get('c')?.told).toBe('two');
  });

  test('another device is heard, and its draft is not told back', () => {
    const sync = opened(draft('mine'));
    expect(sync.heard(draft('theirs', 9), false)).toBe(true);
    expect(mode.written).toEqual({ text: 'theirs', replyTo: 9, editing: undefined });
    sync.close();
    expect(told).toEqual([]);
  });

  test('another device is not heard under the hands of the user', () => {
    const sync = opened();
    type(sync, 'mine');
    vi.runAllTimers();
    expect(sync.heard(draft('theirs'), true)).toBe(false);
    expect(mode.text).toBe('mine');
    // Refused once, it is not taken later by itself.
    expect(sync.heard(draft('theirs'), false)).toBe(false);
    expect(sync.heard(draft('theirs again'), false)).toBe(true);
  });

  test('without a conversation the browser alone keeps the draft', () => {
    const sync = opened(draft(''), false);
    type(sync, 'to somebody new');
    vi.runAllTimers();
    sync.close();
    expect(told).toEqual([]);
    expect(stored.get('c')?.text).toBe('to somebody new');
  });
});

describe('what an edit set aside', () => {
  test('is there again after a reload, here and on the server', () => {
    vi.useFakeTimers();
    const stored = new Map<string, Draft>();
    const told: string[] = [];
    const open = (remote: string): [EditMode, DraftSync] => {
      const mode = new EditMode();
      const sync = new DraftSync(mode, {
        id: 'c',
        stored: { get: (id) => stored.get(id), set: (id, one) => void stored.set(id, one) },
        tell: (text) => void told.push(text),
      });
      sync.open({ text: remote, replyTo: undefined });
      return [mode, sync];
    };
    const [mode, sync] = open('');
    mode.text = 'half a thought';
    sync.touch();
    sync.changed();
    vi.runAllTimers();
    sync.heard({ text: 'half a thought', replyTo: undefined }, true);
    mode.edit({ seq: 7, text: 'seven' });
    sync.changed();
    sync.close();
    const [later, again] = open('half a thought');
    expect(later.written).toMatchObject({ text: 'seven', editing: 7 });
    vi.runAllTimers();
    expect(told).toEqual(['half a thought']);
    later.cancel();
    again.changed();
    vi.runAllTimers();
    expect([later.text, ...told]).toEqual(['half a thought', 'half a thought']);
    vi.useRealTimers();
  });

  test('is what another device wrote meanwhile', () => {
    const mode = new EditMode();
    const draft = { text: 'seven', editing: 7, aside: { text: 'old' }, told: 'old' };
    const sync = new DraftSync(mode, {
      id: 'c',
      stored: { get: () => draft, set: () => {} },
      tell: () => {},
    });
    sync.open({ text: 'newer', replyTo: 3 });
    sync.close();
    mode.cancel();
    expect(mode.written).toMatchObject({ text: 'newer', replyTo: 3 });
  });
});
