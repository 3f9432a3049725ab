/** Properties of the timeline's model, against a naive one that forgets nothing. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HistoryPage } from '../../src/types.ts';
import { TimelineModel } from '../../src/view/timeline-model.ts';
import type { Row } from '../../src/view/types.ts';
import { CONVERSATION, type Doing, dayOf, NaiveClient, NaiveServer } from './naive.ts';

const by = fc.nat(2);
const on = fc.nat(30);
const text = fc.constantFrom('a', 'b', 'c');
const doing: fc.Arbitrary<Doing> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('message' as const),
      by,
      text,
      replyTo: fc.nat(60),
      waitMs: fc.constantFrom(0, 1, 400, 299_999, 300_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constantFrom('edit' as const, 'deletion' as const, 'pin' as const, 'unpin' as const),
      by,
      on,
      text,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('reaction' as const),
      by,
      on,
      emoji: fc.constantFrom('x', 'y'),
      removed: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constantFrom('added' as const, 'unknown' as const, 'erased' as const),
      by,
    }),
  },
);

/** What happens between server and client, besides what people do. */
type Step =
  | { step: 'do'; doing: Doing }
  | { step: 'push'; count: number }
  | { step: 'miss'; count: number }
  | { step: 'ask'; from: number; count: number; cached: boolean; age: number }
  | { step: 'answer'; which: number }
  | { step: 'hide'; seq: number }
  | { step: 'clear'; upTo: number }
  | { step: 'line'; after: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ step: fc.constant('do' as const), doing }) },
  {
    weight: 6,
    arbitrary: fc.record({
      step: fc.constant('push' as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('miss' as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant('ask' as const),
      from: fc.integer({ min: 1, max: 60 }),
      count: fc.integer({ min: 1, max: 12 }),
      cached: fc.boolean(),
      age: fc.nat(10),
    }),
  },
  { weight: 4, arbitrary: fc.record({ step: fc.constant('answer' as const), which: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('hide' as const), seq: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('clear' as const), upTo: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('line' as const), after: fc.nat(40) }) },
);

class Scene {
  readonly server = new NaiveServer();
  readonly naive = new NaiveClient(this.server);
  readonly model: TimelineModel;
  readonly #asked: HistoryPage[] = [];
  #pushed = 0;

  constructor(most = 10_000) {
    this.model = new TimelineModel({ conversation: CONVERSATION, dayOf, most });
  }

  take(step: Step): void {
    const { server, naive, model } = this;
    switch (step.step) {
      case 'do':
        server.do(step.doing);
        return;
      case 'push':
        for (let i = 0; i < step.count && this.#pushed < server.last; i += 1) {
          const entry = server.log[this.#pushed] as (typeof server.log)[0];
          this.#pushed += 1;
          naive.takeEntry(entry.seq);
          model.handleEntry(entry);
        }
        return;
      case 'miss':
        this.#pushed = Math.min(server.last, this.#pushed + step.count);
        return;
      case 'ask': {
        // The cache is behind the server, and says what it knew.
        const asOf = step.cached ? Math.max(0, server.last - step.age) : server.last;
        const { from, count } = step;
        this.#asked.push(server.page(from, from + count - 1, asOf, step.cached));
        return;
      }
      case 'answer': {
        const [page] = this.#asked.splice(step.which % Math.max(this.#asked.length, 1), 1);
        if (!page || page.entries.length === 0) return;
        naive.takePage(page);
        model.handlePage(page);
        return;
      }
      case 'hide':
        naive.hidden.add(step.seq);
        model.handleHidden([step.seq]);
        return;
      case 'clear':
        naive.clear(step.upTo);
        model.handleCleared(step.upTo);
        return;
      case 'line':
        naive.line = { after: step.after, count: 3 };
        model.setLine(step.after, 3);
    }
  }

  /** Everything that is missing is loaded, as a user would who scrolls through. */
  heal(): void {
    const { server, naive, model } = this;
    for (let seq = 1; seq <= server.last; seq += 7) {
      const page = server.page(seq, seq + 6, server.last);
      naive.takePage(page);
      model.handlePage(page);
    }
  }
}

/** A message is known from an answer to it before it comes itself. */
const ANSWERED_THEN_HELD: Step[] = [
  { step: 'do', doing: { what: 'added', by: 0 } },
  { step: 'do', doing: { what: 'message', by: 0, text: 'a', replyTo: 0, waitMs: 0 } },
  { step: 'do', doing: { what: 'message', by: 0, text: 'a', replyTo: 0, waitMs: 299_999 } },
  { step: 'ask', from: 3, count: 1, cached: false, age: 0 },
  { step: 'answer', which: 0 },
  { step: 'push', count: 2 },
];

/** A day's row may hold any moment of it. */
const plain = (rows: readonly Row[]): readonly Row[] =>
  rows.map((row) => {
    if (row.kind !== 'day') return row;
    expect(row.key).toBe(`d${dayOf(row.timeMs)}`);
    return { ...row, timeMs: 0 };
  });

describe('the timeline', { timeout: 300_000 }, () => {
  test('shows what a naive one shows, whatever comes in which order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 70, size: 'max' }), (steps) => {
        const scene = new Scene();
        for (const each of steps) {
          scene.take(each);
          expect(plain(scene.model.rows())).toEqual(plain(scene.naive.rows()));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('gives the same row object as long as nothing in it changed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
        const scene = new Scene();
        let before = new Map<string, Row>();
        for (const each of steps) {
          scene.take(each);
          const rows = scene.model.rows();
          const keys = new Map(rows.map((row) => [row.key, row]));
          expect(keys.size).toBe(rows.length);
          for (const [key, row] of keys) {
            const old = before.get(key);
            if (old && JSON.stringify(old) === JSON.stringify(row)) expect(row).toBe(old);
          }
          before = keys;
        }
      }),
      { numRuns: 200, examples: [[ANSWERED_THEN_HELD]] },
    );
  });

  test('stays within its bound, and shows the truth once the rest is loaded again', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 70, size: 'max' }), (steps) => {
        const bounded = new Scene(20);
        for (const each of steps) {
          bounded.take(each);
          expect(bounded.model.size).toBeLessThanOrEqual(1_020);
          const keys = bounded.model.rows().map((row) => row.key);
          expect(new Set(keys).size).toBe(keys.length);
        }
        const { server, model } = bounded;
        if (server.last === 0) return;
        const last = Math.max(server.last - 9, 1);
        const page = server.page(last, server.last, server.last);
        bounded.naive.takePage(page);
        model.handlePage(page);
        expect(model.size).toBeLessThanOrEqual(20 + 10);
        const shown = model.rows().filter((row) => row.kind === 'message' && row.seq >= last);
        const naive = bounded.naive.rows();
        const truth = naive.filter((row) => row.kind === 'message' && row.seq >= last);
        expect(shown.map((row) => row.kind === 'message' && row.message)).toEqual(
          truth.map((row) => row.kind === 'message' && row.message),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('shows the whole log without a gap once everything was loaded', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 70, size: 'max' }), (steps) => {
        const scene = new Scene();
        for (const each of steps) scene.take(each);
        scene.heal();
        const rows = scene.model.rows();
        expect(plain(rows)).toEqual(plain(scene.naive.rows()));
        expect(rows.filter((row) => row.kind === 'gap')).toEqual([]);
        const { server, naive } = scene;
        for (const message of server.messages()) {
          if (message.seq <= naive.floor) continue;
          expect(scene.model.message(message.seq)).toEqual(naive.message(message.seq));
        }
      }),
      { numRuns: 200 },
    );
  });
});
