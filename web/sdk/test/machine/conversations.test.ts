/** The conversations that are known, and what is told and saved of them. */

import { expect, test } from 'vitest';
import { Conversations } from '../../src/machine/conversations.ts';
import { Outputs } from '../../src/machine/outputs.ts';
import { id } from './model.ts';

test('one that changed is told once, and saved once', () => {
  const outputs = new Outputs(true);
  const conversations = new Conversations(outputs);
  conversations.ensure(id(1), 0);
  for (let n = 0; n < 3; n++) {
    conversations.touch(id(1));
    conversations.markChanged(id(1));
  }
  conversations.reportChanged(undefined);
  conversations.reportChanged(undefined);
  expect(outputs.poll()).toMatchObject({ event: { type: 'conversation' } });
  expect(outputs.poll()).toBeUndefined();
  expect(conversations.takeUnsaved()).toHaveLength(1);
  expect(conversations.takeUnsaved()).toEqual([]);
});

test('one of which nobody knows where it begins is neither told nor saved nor listed', () => {
  const outputs = new Outputs(true);
  const conversations = new Conversations(outputs);
  const it = conversations.ensure(id(1), undefined);
  conversations.touch(id(1));
  conversations.markChanged(id(1));
  conversations.reportChanged(undefined);
  expect(outputs.poll()).toBeUndefined();
  expect(conversations.takeUnsaved()).toEqual([]);
  expect(conversations.list(undefined)).toEqual([]);
  it.begin(4);
  expect(conversations.list(undefined)).toMatchObject([{ id: id(1), lastSeq: 4 }]);
});

test('without a store nothing is saved', () => {
  const conversations = new Conversations(new Outputs(false));
  conversations.ensure(id(1), 0);
  conversations.touch(id(1));
  expect(conversations.takeUnsaved()).toEqual([]);
});

test('it goes on as it was saved', () => {
  const first = new Conversations(new Outputs(true));
  first.ensure(id(1), 3).acknowledged.handleTaken(3);
  first.touch(id(1));
  const saved = first.takeUnsaved().flatMap((save) => {
    return save.type === 'conversation' ? [structuredClone(save.conversation)] : [];
  });
  const second = new Conversations(new Outputs(true), saved);
  expect(second.get(id(1))?.saved()).toEqual(saved[0]);
});

test('what one needs is asked for once; the end of the session makes it be asked again', () => {
  const conversations = new Conversations(new Outputs(false));
  conversations.ensure(id(1), 0);
  conversations.touch(id(1));
  const next = () => conversations.next(0, undefined, false)?.pending;
  expect(next()).toEqual({ type: 'describe', id: id(1) });
  expect(next()).toBeUndefined();
  conversations.endSession(true);
  conversations.schedule.wake(id(1));
  expect(next()).toEqual({ type: 'describe', id: id(1) });
});
