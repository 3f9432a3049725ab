/** Where something expires next: the index against looking at all conversations. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/convert.ts';
import { Conversations } from '../../src/machine/conversations.ts';
import { Outputs } from '../../src/machine/outputs.ts';
import type { Entry } from '../../src/model.ts';
import { id } from './model.ts';

const origin = (seq: number, timeMs: number) => ({
  conversation: id(0),
  seq,
  sender: { id: id(1), name: 'ann' },
  timeMs,
  own: false,
});

/** A group whose messages expire after so many seconds. */
const created = (retentionS: number): Entry => ({
  ...origin(1, 0),
  type: 'change',
  what: {
    type: 'created',
    info: { title: '', description: '', picture: '' },
    settings: { ...DEFAULT_SETTINGS, retentionS },
    members: [],
  },
});

const text = (seq: number, timeMs: number): Entry => ({
  ...origin(seq, timeMs),
  type: 'message',
  ordinal: seq,
  text: '',
  mentions: [],
  mentionsMe: false,
  forwarded: false,
  deleted: false,
  pinned: false,
  reactions: [],
});

test('the index says and finds what looking at all would', () => {
  const steps = fc.array(fc.tuple(fc.nat(7), fc.nat(5), fc.nat(39)), { maxLength: 120 });
  fc.assert(
    fc.property(steps, (all) => {
      const outputs = new Outputs(true);
      let conversations = new Conversations(outputs);
      let nowMs = 10_000;
      let seq = 1;
      for (const [what, which, number] of all) {
        seq++;
        const place = id(which + 1);
        if (what === 0) {
          conversations.ensure(place, 0).noteExpiry(created(number % 8));
          conversations.touch(place);
        } else if (what < 5) {
          conversations.get(place)?.noteExpiry(text(seq, nowMs - number * 100));
          conversations.touch(place);
        } else if (what < 7) {
          nowMs += number * 100;
          const due = conversations.values().filter((it) => it.expiry.nextMs <= nowMs);
          outputs.takeSaves();
          conversations.handleTime(nowMs, undefined);
          const found = outputs
            .takeSaves()
            .flatMap((save) => (save.type === 'expired' ? [save.conversation] : []));
          expect(new Set(found)).toEqual(new Set(due.map((it) => it.id)));
          expect(found).toHaveLength(due.length);
        } else {
          for (const it of conversations.values()) conversations.touch(it.id);
          const saved = conversations
            .takeUnsaved()
            .flatMap((save) => (save.type === 'conversation' ? [save.conversation] : []));
          conversations = new Conversations(outputs, saved);
        }
        const next = Math.min(Infinity, ...conversations.values().map((it) => it.expiry.nextMs));
        expect(conversations.expiryMs()).toBe(next);
      }
    }),
  );
});
