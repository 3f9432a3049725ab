/** A device that ends: it says what it has at once, and waits when the server asks it to. */

import { expect, test } from 'vitest';
import { decode } from '../../src/codec.ts';
import * as wire from '../../src/gen/wire.ts';
import { Device, Dice, id, World } from './model.ts';

/** Carries everything to and fro until nothing is on its way. */
function settle(world: World): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const device of world.devices) {
      if (device.dialing) device.connect();
      for (let said = device.link?.up.shift(); said; said = device.link?.up.shift()) {
        world.handle(device, said, false);
        moved = true;
      }
      for (let told = device.link?.down.shift(); told; told = device.link?.down.shift()) {
        device.receive(told);
        moved = true;
      }
    }
  }
}

/** What a device acknowledges in what it has to say, which is taken off the link. */
function acknowledged(device: Device): { bytes: Uint8Array; upTo: number }[] {
  const said = device.link?.up.splice(0) ?? [];
  return said.flatMap((bytes) => {
    const { kind } = decode(wire.ClientEnvelope, bytes);
    return kind?.case === 'delivered' ? [{ bytes, upTo: kind.value.upTo }] : [];
  });
}

/** Two in a chat; the second has acknowledged one message and holds another one. */
function two(): { world: World; ben: Device } {
  const world = new World(new Dice(3));
  const [ann, ben] = [new Device(world, id(1)), new Device(world, id(2))];
  world.devices.push(ann, ben);
  settle(world);
  for (const n of [1, 2]) {
    ann.say(`n${n}`, `000${n}`);
    settle(world);
  }
  return { world, ben };
}

test('what waits for company is acknowledged at once', () => {
  const { world, ben } = two();
  expect(acknowledged(ben)).toEqual([]);
  ben.machine.drain(world.tick(), 60_000);
  ben.act();
  expect(acknowledged(ben).map(({ upTo }) => upTo)).toEqual([2]);
});

test('what the server refuses is said again when it asks for it, not before', () => {
  const { world, ben } = two();
  ben.machine.drain(world.tick(), 60_000);
  ben.act();
  const [first] = acknowledged(ben);
  world.handle(ben, first?.bytes as Uint8Array, true);
  for (let told = ben.link?.down.shift(); told; told = ben.link?.down.shift()) ben.receive(told);
  expect(acknowledged(ben)).toEqual([]);
  world.nowMs += 49;
  ben.timeout();
  expect(acknowledged(ben)).toEqual([]);
  world.nowMs += 1_000;
  ben.timeout();
  expect(acknowledged(ben).map(({ upTo }) => upTo)).toEqual([2]);
});

test('what was refused before the end waits all the same', () => {
  const { world, ben } = two();
  world.nowMs += 1_000;
  ben.timeout();
  const [first] = acknowledged(ben);
  world.handle(ben, first?.bytes as Uint8Array, true);
  for (let told = ben.link?.down.shift(); told; told = ben.link?.down.shift()) ben.receive(told);
  ben.machine.drain(world.tick(), 60_000);
  ben.act();
  expect(acknowledged(ben)).toEqual([]);
  world.nowMs += 1_000;
  ben.timeout();
  expect(acknowledged(ben).map(({ upTo }) => upTo)).toEqual([2]);
});
