// What keys ask for in the composer's field, and that an input method's keys ask for nothing.

import { expect, test } from 'vitest';
import { type KeyContext, keyAction, type Press } from '../../src/chat/composer/keys';
import { TypingSignal } from '../../src/chat/composer/typing-signal';

const NONE: KeyContext = { matching: false, empty: false, targeted: false, enterSends: true };

/** `Shift+Enter` and the like. */
function press(keys: string, more: Partial<Press> = {}): Press {
  const names = keys.split('+');
  return {
    key: names.at(-1) ?? '',
    shiftKey: names.includes('Shift'),
    ctrlKey: names.includes('Control'),
    metaKey: names.includes('Meta'),
    altKey: names.includes('Alt'),
    isComposing: false,
    keyCode: 0,
    ...more,
  };
}

const asked = (keys: string, context: Partial<KeyContext> = {}) =>
  keyAction(press(keys), { ...NONE, ...context });

test('Enter sends, or makes a line, as the user set it', () => {
  for (const [keys, enterSends, sends] of [
    ['Enter', true, true],
    ['Shift+Enter', true, false],
    ['Control+Enter', true, false],
    ['Meta+Enter', true, false],
    ['Enter', false, false],
    ['Shift+Enter', false, true],
    ['Control+Enter', false, true],
    ['Meta+Enter', false, true],
    ['Alt+Enter', true, false],
    ['Alt+Enter', false, false],
  ] as const)
    expect(asked(keys, { enterSends }), keys).toEqual(sends ? { type: 'send' } : undefined);
});

test('with the list open, keys are for the list', () => {
  const matching = { matching: true, empty: true, targeted: true };
  expect(asked('ArrowDown', matching)).toEqual({ type: 'choose', step: 1 });
  expect(asked('ArrowUp', matching)).toEqual({ type: 'choose', step: -1 });
  expect(asked('Tab', matching)).toEqual({ type: 'complete' });
  expect(asked('Enter', matching)).toEqual({ type: 'complete' });
  expect(asked('Escape', matching)).toEqual({ type: 'closeMatches' });
  expect(asked('a', matching)).toBeUndefined();
});

test('Up in an empty field takes the last message', () => {
  const empty = { empty: true };
  expect(asked('ArrowUp', empty)).toEqual({ type: 'last', what: 'edit' });
  expect(asked('Shift+ArrowUp', empty)).toEqual({ type: 'last', what: 'reply' });
  expect(asked('Alt+ArrowUp', empty)).toBeUndefined();
  expect(asked('Control+ArrowUp', empty)).toBeUndefined();
  expect(asked('ArrowUp')).toBeUndefined();
});

test('Escape ends an answer or an edit, else it is for the screen', () => {
  expect(asked('Escape', { targeted: true })).toEqual({ type: 'cancel' });
  expect(asked('Escape')).toBeUndefined();
});

test("an input method's keys are its own", () => {
  for (const composing of [{ isComposing: true }, { keyCode: 229 }]) {
    expect(keyAction(press('Enter', composing), NONE)).toBeUndefined();
    expect(keyAction(press('Enter', composing), { ...NONE, matching: true })).toBeUndefined();
  }
});

test('typing is said with each change, and its end once', () => {
  const said: boolean[] = [];
  const typing = new TypingSignal((active) => said.push(active));
  typing.changed(false);
  typing.stop();
  expect(said).toEqual([]);
  typing.changed(true);
  typing.changed(true);
  typing.changed(false);
  typing.changed(false);
  expect(said).toEqual([true, true, false]);
  typing.changed(true);
  typing.stop();
  typing.stop();
  expect(said.slice(3)).toEqual([true, false]);
});
