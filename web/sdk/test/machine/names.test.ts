/** Names that are looked up, and users whose names are asked for. */

import { expect, test } from 'vitest';
import { Names } from '../../src/machine/names.ts';
import { Outputs } from '../../src/machine/outputs.ts';

const ann = { id: 'a', name: 'ann' };

test('a name is looked up once at a time', () => {
  const names = new Names(new Outputs(true));
  names.wantLookup('ann');
  names.wantLookup('ben');
  expect(names.nextLookup(0)).toBe('ann');
  names.wantLookup('ann');
  expect(names.nextLookup(0)).toBe('ben');
  expect(names.nextLookup(0)).toBeUndefined();
  names.finishLookup('ann');
  names.wantLookup('ann');
  expect(names.nextLookup(0)).toBe('ann');
});

test('a lookup that failed waits, and the others with it, until the session ends', () => {
  const names = new Names(new Outputs(true));
  names.wantLookup('ann');
  names.nextLookup(0);
  names.retryLookup('ann', 1_000);
  expect(names.lookupDeadline()).toBe(1_000);
  expect(names.nextLookup(999)).toBeUndefined();
  expect(names.nextLookup(1_000)).toBe('ann');
  names.retryLookup('ann', 5_000);
  names.endSession();
  expect(names.nextLookup(0)).toBe('ann');
});

test('conversations wait for a name until it comes, or can not be had', () => {
  const outputs = new Outputs(true);
  const names = new Names(outputs);
  expect(names.request('c1', ['a', 'b'])).toBe(true);
  expect(names.request('c2', ['a'])).toBe(true);
  expect([names.nextProfile(), names.nextProfile(), names.nextProfile()]).toEqual([
    'a',
    'b',
    undefined,
  ]);
  expect(names.isRequested('a')).toBe(true);
  expect(names.handleName('a', ann)).toEqual(['c1', 'c2']);
  expect(names.get('a')).toBe(ann);
  expect(outputs.takeSaves()).toEqual([{ type: 'user', user: ann }]);
  names.wait('c1');
  expect(names.handleName('b', undefined)).toEqual(['c1']);
  // Nobody waits for one the server doesn't name, in this session.
  expect(names.request('c1', ['b'])).toBe(false);
  names.endSession();
  expect(names.request('c1', ['b'])).toBe(true);
});

test('what was on its way is asked again in the next session', () => {
  const names = new Names(new Outputs(true));
  names.request('c1', ['a']);
  expect(names.nextProfile()).toBe('a');
  names.endSession();
  expect(names.nextProfile()).toBe('a');
});

test('a name that is known is not saved again, and tables are bounded', () => {
  const outputs = new Outputs(true);
  const names = new Names(outputs, [ann]);
  names.learn(ann);
  expect(outputs.takeSaves()).toEqual([]);
  for (let n = 0; n < 4_096; n++) names.learn({ id: `u${n}`, name: `n${n}` });
  expect(names.get('a')).toBeUndefined();
  expect(names.get('u4095')).toBeDefined();
});
