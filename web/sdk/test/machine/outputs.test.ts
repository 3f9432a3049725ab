/** What is put out comes in order, once; what is saved only where there is a store. */

import { expect, test } from 'vitest';
import { Outputs } from '../../src/machine/outputs.ts';

test('outputs come in order, each once, and the last state stays', () => {
  const outputs = new Outputs(false);
  expect(outputs.state).toEqual({ type: 'idle' });
  outputs.push({ type: 'dial' });
  outputs.report({ type: 'connecting' });
  expect(outputs.poll()).toEqual({ type: 'dial' });
  expect(outputs.poll()).toEqual({ type: 'state', state: { type: 'connecting' } });
  expect(outputs.poll()).toBeUndefined();
  expect(outputs.state).toEqual({ type: 'connecting' });
});

test('what the application hears and the store keeps is one record', () => {
  const cleared = { type: 'cleared', conversation: 'c', upTo: 3 } as const;
  for (const keeps of [true, false]) {
    const outputs = new Outputs(keeps);
    outputs.saveAndEmit(cleared);
    expect(outputs.poll()).toEqual({ type: 'emit', event: cleared });
    expect(outputs.takeSaves()).toEqual(keeps ? [cleared] : []);
    expect(outputs.takeSaves()).toEqual([]);
  }
});
