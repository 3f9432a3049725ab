/** Own sends in a timeline: from the outbox into the log without a jump, a copy or a gap. */

import { describe, expect, test } from 'vitest';
import type { Message, OutboxItem } from '../../src/types.ts';
import { TimelineModel } from '../../src/view/timeline-model.ts';
import type { MessageRow } from '../../src/view/types.ts';
import { CONVERSATION, dayOf, ME, NaiveServer } from './naive.ts';

const to = { type: 'conversation', conversation: CONVERSATION } as const;

function item(localId: number, text: string, more: Partial<OutboxItem> = {}): OutboxItem {
  const action = { type: 'text', text } as const;
  const status = 'queued' as const;
  return { localId, clientMessageId: `0${localId}`, to, action, status, queuedMs: 1, ...more };
}

class Scene {
  readonly server = new NaiveServer();
  readonly model = new TimelineModel({ conversation: CONVERSATION, dayOf });

  /** Somebody says something; the client has not heard of it yet. */
  write(by: number, text: string): Message {
    this.server.do({ what: 'message', by, text, replyTo: -1, waitMs: 1 });
    return this.server.log.at(-1) as Message;
  }

  get rows(): string[] {
    const rows = this.model.rows().filter((row): row is MessageRow => row.kind === 'message');
    return rows.map((row) => `${row.key} ${row.message.text} ${row.progress ?? ''}`.trim());
  }
}

const sent = ({ seq, timeMs }: Message, duplicate = false) => ({
  conversation: CONVERSATION,
  seq,
  timeMs,
  duplicate,
});

describe('an own message', () => {
  test('is one row with one key, whichever comes first: the answer or the entry', () => {
    for (const answerFirst of [true, false]) {
      const scene = new Scene();
      scene.model.handleEntry(scene.write(1, 'hello'));
      scene.model.handleOutbox(item(1, 'mine'), ME);
      expect(scene.rows).toEqual(['s1 hello', 'c01 mine queued']);
      scene.model.handleOutbox(item(1, 'mine', { status: 'sending' }), ME);
      const entry = scene.write(0, 'mine');
      const answer = () => scene.model.handleOutboxDone(1, '01', sent(entry));
      if (answerFirst) {
        answer();
        // Not gone in between.
        expect(scene.rows).toEqual(['s1 hello', 'c01 mine sent']);
      }
      scene.model.handleEntry(entry);
      expect(scene.rows).toEqual(['s1 hello', 'c01 mine sent']);
      if (!answerFirst) answer();
      expect(scene.rows).toEqual(['s1 hello', 'c01 mine sent']);
    }
  });

  test('of another device with the same words is another row once the answer tells', () => {
    const scene = new Scene();
    scene.model.handleOutbox(item(1, 'ok', { status: 'sending' }), ME);
    const theirs = scene.write(0, 'ok');
    scene.model.handleEntry(theirs);
    const ours = scene.write(0, 'ok');
    scene.model.handleOutboxDone(1, '01', sent(ours));
    scene.model.handleEntry(ours);
    expect(scene.rows).toEqual(['s1 ok sent', 'c01 ok sent']);
  });

  test('that is said again under the same id, as to another leading tab, is shown once', () => {
    const scene = new Scene();
    scene.model.handleOutbox(item(1, 'mine', { status: 'sending' }), ME);
    const entry = scene.write(0, 'mine');
    scene.model.handleOutboxDone(1, '01', sent(entry));
    const again = item(2, 'mine', { clientMessageId: '01' });
    scene.model.handleOutbox(again, ME);
    expect(scene.rows).toEqual(['c01 mine sent']);
    scene.model.handleEntry(entry);
    expect(scene.rows).toEqual(['c01 mine sent']);
    scene.model.handleOutboxDone(2, '01', sent(entry, true));
    expect(scene.rows).toEqual(['c01 mine sent']);
  });

  test('that is told of too late does not come back', () => {
    const scene = new Scene();
    const entry = scene.write(0, 'mine');
    scene.model.handleEntry(entry);
    scene.model.handleOutboxDone(1, '01', sent(entry));
    // A list of the outbox that was made before.
    scene.model.handleOutbox(item(1, 'mine', { status: 'sending' }), ME);
    expect(scene.rows).toEqual(['s1 mine sent']);
  });

  test('that was not sent yet is not mistaken for one that came', () => {
    const scene = new Scene();
    scene.model.handleOutbox(item(1, 'ok'), ME);
    scene.model.handleEntry(scene.write(0, 'ok'));
    expect(scene.rows).toEqual(['s1 ok sent', 'c01 ok queued']);
  });

  test('that is refused stays at the end until it is put away', () => {
    const scene = new Scene();
    const error = { kind: 'refused', text: 'no' } as const;
    scene.model.handleOutbox(item(1, 'one', { status: 'failed', error }), ME);
    scene.model.handleOutbox(item(2, 'two'), ME);
    scene.model.handleEntry(scene.write(1, 'hello'));
    expect(scene.rows).toEqual(['s1 hello', 'c01 one failed', 'c02 two queued']);
    scene.model.handleOutboxDone(1, '01');
    expect(scene.rows).toEqual(['s1 hello', 'c02 two queued']);
  });

  test('has its ticks from the cursors of others', () => {
    const scene = new Scene();
    for (const text of ['a', 'b', 'c']) scene.model.handleEntry(scene.write(0, text));
    scene.model.setCursors({ peerRead: 1, peerDelivered: 2, reads: [0, 1, 1] });
    expect(scene.rows).toEqual(['s1 a read', 's2 b delivered', 's3 c sent']);
    const readBy = scene.model.rows().map((row) => (row.kind === 'message' ? row.readBy : -1));
    expect(readBy.filter((count) => count >= 0)).toEqual([2, 0, 0]);
  });
});

describe('what is done to a message', () => {
  const act = (localId: number, action: OutboxItem['action'], more: Partial<OutboxItem> = {}) =>
    item(localId, '', { action, ...more });

  test('shows at once, is taken back when it is refused, and is not done twice', () => {
    const scene = new Scene();
    scene.model.handleEntry(scene.write(0, 'one'));
    scene.model.handleOutbox(act(1, { type: 'edit', seq: 1, text: 'two' }), ME);
    expect(scene.rows).toEqual(['s1 two sent']);
    const error = { kind: 'refused', text: 'no' } as const;
    const refused = { status: 'failed', error } as const;
    scene.model.handleOutbox(act(1, { type: 'edit', seq: 1, text: 'two' }, refused), ME);
    expect(scene.rows).toEqual(['s1 one sent']);
    scene.model.handleOutbox(act(2, { type: 'react', seq: 1, emoji: 'x' }), ME);
    scene.server.do({ what: 'reaction', by: 0, on: 0, emoji: 'x', removed: false });
    const entry = scene.server.log.at(-1) as Message;
    scene.model.handleOutboxDone(2, '02', sent(entry));
    expect(scene.model.message(1)?.reactions).toEqual([{ emoji: 'x', users: [ME] }]);
    scene.model.handleEntry(entry);
    expect(scene.model.message(1)?.reactions).toEqual([{ emoji: 'x', users: [ME] }]);
    const [row] = scene.model.rows().filter((each) => each.kind === 'message');
    expect(row).toMatchObject({ changing: false });
  });
});

test('the unread line stands after the last own message that was there, since who writes has read', () => {
  const scene = new Scene();
  for (const [by, text] of [
    [1, 'one'],
    [0, 'mine'],
    [1, 'new'],
  ] as const)
    scene.model.handleEntry(scene.write(by, text));
  const kinds = () =>
    scene.model
      .rows()
      .filter((row) => row.kind !== 'day')
      .map((row) => (row.kind === 'message' ? row.message.text : row.kind));
  const mine = scene.model.message(2);
  scene.model.setLine(0, 1, mine?.ordinal);
  expect(kinds()).toEqual(['one', 'mine', 'unread', 'new']);
  // What is written with the line in view doesn't move it.
  scene.model.handleEntry(scene.write(0, 'answer'));
  expect(kinds()).toEqual(['one', 'mine', 'unread', 'new', 'answer']);
});
