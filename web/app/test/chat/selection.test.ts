import { expect, test } from 'vitest';
import { Selection } from '../../src/chat/state/selection.svelte';

const order = [1, 2, 4, 5, 9];
const chosen = (selection: Selection) => order.filter((seq) => selection.has(seq));

test('messages are taken in and out, one by one and as a range in both directions', () => {
  const selection = new Selection();
  expect(selection.active).toBe(false);
  selection.toggle(4);
  expect([selection.active, chosen(selection)]).toEqual([true, [4]]);
  selection.extend(9, order);
  expect(chosen(selection)).toEqual([4, 5, 9]);
  selection.extend(2, order);
  expect(chosen(selection)).toEqual([2, 4, 5, 9]);
  selection.toggle(5);
  expect(chosen(selection)).toEqual([2, 4, 9]);
  // None is left, and still more can be chosen.
  for (const seq of [2, 4, 9]) selection.toggle(seq);
  expect([selection.active, selection.size]).toEqual([true, 0]);
  selection.clear();
  expect(selection.active).toBe(false);
});

test('a range without a beginning is one message, and there are no more than a hundred', () => {
  const selection = new Selection();
  selection.extend(5, order);
  expect([selection.active, chosen(selection)]).toEqual([true, [5]]);
  const many = Array.from({ length: 500 }, (_, i) => i + 1);
  selection.extend(500, many);
  expect(selection.size).toBe(100);
});
