// What is in the field while messages are written, answered and edited.

import { beforeEach, expect, test } from 'vitest';
import { EditMode } from '../../src/chat/composer/edit-mode.svelte';

let mode: EditMode;
beforeEach(() => {
  mode = new EditMode();
});

const written = (text: string, { replyTo, editing }: { replyTo?: number; editing?: number } = {}) =>
  expect(mode.written).toMatchObject({ text, replyTo, editing });

test('an edit sets aside what was begun, and its end returns it', () => {
  mode.text = 'half a thought';
  mode.reply(3);
  mode.edit({ seq: 7, text: 'as sent' });
  written('as sent', { editing: 7 });
  expect(mode.unsent).toEqual({ text: 'half a thought', replyTo: 3 });
  mode.cancel();
  written('half a thought', { replyTo: 3 });
});

test('an edit after an edit keeps what was set aside first', () => {
  mode.text = 'begun';
  mode.edit({ seq: 7, text: 'seven' });
  mode.text = 'changed';
  mode.edit({ seq: 8, text: 'eight' });
  written('eight', { editing: 8 });
  mode.cancel();
  written('begun');
});

test('an answer ends an edit and takes up what was set aside', () => {
  mode.text = 'begun';
  mode.edit({ seq: 7, text: 'seven' });
  mode.reply(2);
  written('begun', { replyTo: 2 });
});

test('cancelling an answer leaves its text', () => {
  mode.text = 'an answer';
  mode.reply(2);
  mode.cancel();
  written('an answer');
});

test('a new message that is taken leaves nothing, an edit what was set aside', () => {
  mode.text = 'hello';
  mode.reply(2);
  expect(mode.take()).toMatchObject({ text: 'hello', replyTo: 2, editing: undefined });
  written('');
  mode.text = 'begun';
  mode.edit({ seq: 7, text: 'seven' });
  mode.text = 'better';
  expect(mode.take()).toMatchObject({ text: 'better', replyTo: undefined, editing: 7 });
  written('begun');
});

test('what could not be sent is put back', () => {
  mode.edit({ seq: 7, text: 'seven' });
  const taken = mode.take();
  mode.restore(taken);
  written('seven', { editing: 7 });
  // Nothing was aside.
  mode.cancel();
  written('');
});
