// Where rows lie, against a plain sum over the same rows, with random changes from a seed.

import { expect, test } from 'vitest';
import { Heights } from '../../src/chat/timeline/heights';

/** Numbers from a seed, the same every time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('tops are the sums of the heights above, whatever happens in which order', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const next = random(seed);
    const heights = new Heights(50);
    const measured = new Map<string, number>();
    let keys: string[] = [];
    let made = 0;
    for (let step = 0; step < 200; step++) {
      const fresh = Array.from({ length: next(5) }, () => `k${made++}`);
      const deed = next(6);
      if (deed === 0) keys = [...fresh, ...keys];
      else if (deed === 1) keys = [...keys, ...fresh];
      else if (deed === 2) keys = keys.filter(() => next(10) > 0);
      else if (deed === 3) {
        const at = next(keys.length + 1);
        keys = [...keys.slice(0, at), ...fresh, ...keys.slice(at)];
      } else if (keys.length > 0) {
        const key = keys[next(keys.length)] as string;
        const height = 10 + next(300);
        measured.set(key, height);
        heights.measure(key, height);
      }
      heights.setKeys(keys);
      const tops = [0];
      for (const key of keys) tops.push((tops.at(-1) as number) + (measured.get(key) ?? 50));
      const at = next(keys.length + 1);
      expect(heights.top(at)).toBe(tops[at]);
      expect(heights.total).toBe(tops.at(-1));
      if (keys.length === 0) continue;
      const y = next((tops.at(-1) as number) + 100) - 50;
      const expected = Math.max(
        0,
        tops.slice(0, -1).findLastIndex((top) => top <= y),
      );
      expect(heights.indexAt(y)).toBe(expected);
    }
  }
});

test('a height that did not change is no news', () => {
  const heights = new Heights(50);
  heights.setKeys(['a']);
  expect(heights.measure('a', 70)).toBe(true);
  expect(heights.measure('a', 70.2)).toBe(false);
  expect(heights.measure('gone', 70)).toBe(true);
  expect(heights.total).toBe(70);
});
