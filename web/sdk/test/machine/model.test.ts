/**
 * Machines against a server that keeps the protocol and a network that loses,
 * delays and cuts; devices that die and come back with what they had stored.
 */

import { expect, test } from 'vitest';
import { Device, Dice, id, PLACE, World } from './model.ts';

const SEEDS = Number(process.env.SDK_SEEDS ?? 60);
const MESSAGES = 12;

interface Said {
  readonly text: string;
  readonly wireId: string;
}

/** Runs one world. Returns what everybody said. */
function run(seed: number): { world: World; said: Map<Device, Said[]> } {
  const dice = new Dice(seed);
  const world = new World(dice);
  for (let n = 1; n <= 3; n++) world.devices.push(new Device(world, id(n)));
  const said = new Map(world.devices.map((device) => [device, [] as Said[]]));
  const spoken = (device: Device) => said.get(device) as Said[];
  const quiet = () =>
    world.devices.every(
      (device) => spoken(device).length === MESSAGES && device.isQuiet(world.log.length),
    );
  for (let step = 0; step < 60_000 && !quiet(); step++) {
    const device = world.devices[dice.below(world.devices.length)] as Device;
    // After a while the faults end, and everything has to come right.
    const faulty = step < 6_000;
    const { link } = device;
    const choice = dice.below(100);
    if (choice < 40 && link?.up.length) {
      world.handle(device, link.up.shift() as Uint8Array, faulty && dice.chance(5));
      device.act();
    } else if (choice < 80 && link?.down.length) {
      device.receive(link.down.shift() as Uint8Array);
    } else if (choice < 86 && spoken(device).length < MESSAGES) {
      const n = spoken(device).length;
      const text = `${device.user} ${n}`;
      spoken(device).push({ text, wireId: `${n}0` });
      device.say(text, n.toString(16).padStart(4, '0'));
    } else if (choice < 88 && faulty) {
      if (link) device.lose();
    } else if (choice === 88 && faulty) {
      device.boot();
    } else if (device.dialing) {
      device.connect();
    } else {
      world.nowMs += dice.below(400);
      if (device.machine.deadline(world.nowMs) <= world.nowMs) device.timeout();
      else device.act();
    }
  }
  expect(quiet(), `seed ${seed} comes to rest`).toBe(true);
  return { world, said };
}

test('every message lands once, in order, and everybody gets all of them in order', () => {
  let cuts = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { world, said } = run(seed);
    expect(world.violations).toEqual([]);
    expect(world.log.length).toBe(3 * MESSAGES);
    for (const device of world.devices) {
      expect(device.resets, `seed ${seed}`).toBe(0);
      cuts += device.sessions;
      const mine = world.log.filter(
        (entry) => Buffer.from(entry.sender).toString('hex') === device.user.replaceAll('-', ''),
      );
      const texts = mine.map((entry) => Buffer.from(entry.body.subarray(2)).toString());
      expect(texts, `seed ${seed}`).toEqual((said.get(device) ?? []).map((it) => it.text));
      // Positions are stored with every input here, so that each is told once
      // over all the lives of a device.
      const seqs = device.events.flatMap((event) =>
        event.type === 'entry' ? [event.entry.seq] : [],
      );
      expect(seqs, `seed ${seed}`).toEqual(world.log.map((entry) => entry.seq));
    }
  }
  // A network without faults would prove nothing.
  expect(cuts).toBeGreaterThan(3 * 3 * SEEDS);
});

test('the same seed is the same run', () => {
  const events = (seed: number) => run(seed).world.devices.map((device) => device.events);
  expect(events(7)).toEqual(events(7));
});

test('a count that is carried on ends as the server counts', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { world } = run(seed);
    for (const device of world.devices) {
      const line = device.machine.conversations().find(({ id }) => id === PLACE);
      const own = world.log.findLast(
        (entry) => Buffer.from(entry.sender).toString('hex') === device.user.replaceAll('-', ''),
      );
      expect(line?.unread, `seed ${seed}`).toBe(world.log.length - (own?.seq ?? 0));
    }
  }
});
