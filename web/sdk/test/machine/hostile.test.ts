/** A server that says anything: the machine never fails, and stays bounded. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, encode, type Init, type Schema, U64_MAX } from '../../src/codec.ts';
import * as wire from '../../src/gen/wire.ts';
import { uuidBytes } from '../../src/ids.ts';
import { Device, Dice, id, PLACE, World } from './model.ts';

type Any = Record<string, unknown>;

const seq = fc.oneof(fc.nat(20), fc.constantFrom(0, 1, 2 ** 31, 2 ** 53, U64_MAX));
const bytes = fc.oneof(
  fc.constantFrom(uuidBytes(id(1)), uuidBytes(id(2)), uuidBytes(PLACE), new Uint8Array(0)),
  fc.uint8Array({ maxLength: 20 }),
);

/** Anything that a message may hold; `entries` hold entries now and then. */
function anything(schema: Schema<unknown>, depth = 0): fc.Arbitrary<Any> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  const choices: Record<string, fc.Arbitrary<unknown>[]> = {};
  for (const [, name, type, shape, oneof] of schema) {
    const one: fc.Arbitrary<unknown> =
      typeof type !== 'string'
        ? depth > 3
          ? fc.constant({})
          : anything(type, depth + 1)
        : { u: fc.nat(600), U: seq, o: fc.boolean(), s: fc.string(), b: bytes, e: fc.nat(25) }[
            type
          ];
    if (shape === 'oneof') {
      choices[oneof] ??= [];
      choices[oneof].push(one.map((value) => ({ case: name, value })));
    } else if (name === 'entries' || name === 'related') {
      fields[name] = fc.array(fc.oneof(entry, type === 'b' ? bytes : one), { maxLength: 3 });
      if (type !== 'b') fields[name] = fc.array(one, { maxLength: 3 });
    } else fields[name] = shape === 'list' ? fc.array(one, { maxLength: 3 }) : one;
  }
  for (const [name, list] of Object.entries(choices)) fields[name] = fc.oneof(...list);
  return fc.record(fields);
}

const entry = fc
  .record({
    seq,
    ordinal: seq,
    timeMs: seq,
    sender: bytes,
    kind: fc.nat(25),
    body: fc.uint8Array({ maxLength: 30 }),
    erased: fc.boolean(),
  })
  .map((given) => encode(wire.Entry, given) as Uint8Array);

const envelope = anything(wire.ServerEnvelope).map((given) =>
  encode(wire.ServerEnvelope, {
    ...given,
    request: Number(given.request) % 12,
  } as Init<wire.ServerEnvelope>),
);

test('whatever a server says, the client goes on and its tables stay bounded', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(envelope, { maxLength: 60 }), (seed, said) => {
      const world = new World(new Dice(seed));
      const device = new Device(world, id(1));
      world.devices.push(device);
      for (const [n, one] of said.entries()) {
        if (device.dialing) device.connect();
        // An honest welcome first, so that the rest is taken in session.
        const hello = device.link?.up.shift();
        if (hello && decode(wire.ClientEnvelope, hello).kind?.case === 'hello') {
          world.handle(device, hello, false);
          const welcome = device.link?.down.shift();
          if (welcome) device.receive(welcome);
        }
        const kind = { case: 'getAccount', value: {} } as const;
        device.machine.call(world.tick(), n, { type: 'ask', kind });
        device.act();
        if (device.link) device.receive(one);
        world.nowMs += world.dice.below(2_000);
        if (device.machine.deadline(world.nowMs) <= world.nowMs) device.timeout();
        if (device.machine.isClosed) break;
      }
      // No call is answered twice.
      expect(new Set(device.replied).size).toBe(device.replied.length);
      expect(device.link?.up.length ?? 0).toBeLessThan(2_000);
      // Entries of a conversation never go back, whatever was said.
      const seqs = device.events.flatMap((event) =>
        event.type === 'entry' && event.entry.conversation === PLACE ? [event.entry.seq] : [],
      );
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    }),
    { numRuns: 400 },
  );
});
