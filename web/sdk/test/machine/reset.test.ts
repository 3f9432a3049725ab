/** A server whose store is another one: it was put back to a copy. */

import { expect, test } from 'vitest';
import { Device, Dice, id, World } from './model.ts';

const SEEDS = 15;

/** A world in which three people write, and in which the server is put back. */
class Run {
  readonly dice: Dice;
  readonly world: World;
  #said = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
    this.world = new World(this.dice);
    for (let n = 1; n <= 3; n++) this.world.devices.push(new Device(this.world, id(n)));
  }

  steps(many: number, says: boolean): void {
    const { dice, world } = this;
    for (let step = 0; step < many; step++) {
      const device = world.devices[dice.below(world.devices.length)] as Device;
      const { link } = device;
      const choice = dice.below(100);
      if (choice < 40 && link?.up.length) {
        world.handle(device, link.up.shift() as Uint8Array, says && dice.chance(5));
        device.act();
      } else if (choice < 80 && link?.down.length) {
        device.receive(link.down.shift() as Uint8Array);
      } else if (choice < 86 && says) {
        device.say(`${++this.#said}`, this.#said.toString(16).padStart(4, '0'));
      } else if (choice === 87 && says) {
        if (link) device.lose();
      } else if (choice === 88 && says) {
        device.boot();
      } else if (device.dialing) {
        device.connect();
      } else {
        world.nowMs += dice.below(400);
        if (device.machine.deadline(world.nowMs) <= world.nowMs) device.timeout();
        else device.act();
      }
    }
  }

  /** Everybody has what the server has, and nothing else. */
  check(seed: number): void {
    for (const device of this.world.devices) {
      expect(device.machine.isReady && device.machine.queued === 0, `seed ${seed}`).toBe(true);
      const shown = device.events.flatMap((event) =>
        event.type === 'entry' && event.entry.type === 'message'
          ? [`${event.entry.seq} ${event.entry.text}`]
          : [],
      );
      const there = this.world.log.map(
        (entry) => `${entry.seq} ${Buffer.from(entry.body.subarray(2)).toString()}`,
      );
      expect(shown, `seed ${seed}`).toEqual(there);
    }
  }
}

test('another incarnation drops the copy of every device, and all end with what the server has', () => {
  let lost = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new Run(seed);
    run.steps(800, true);
    const { length } = run.world.log;
    const kept = run.dice.below(length);
    lost += length - kept;
    run.world.putBack(kept);
    run.world.incarnation = 2;
    run.steps(400, true);
    run.steps(5_000, false);
    run.check(seed);
    for (const { resets } of run.world.devices) expect(resets, `seed ${seed}`).toBe(1);
  }
  expect(lost).toBeGreaterThan(SEEDS);
});

test('without a word of the server, a log that ends earlier or is another one is noticed', () => {
  let noticed = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new Run(seed);
    run.steps(800, true);
    run.steps(5_000, false);
    run.world.putBack(run.dice.below(run.world.log.length));
    run.steps(2_000, false);
    run.steps(400, true);
    run.steps(5_000, false);
    run.check(seed);
    for (const { resets } of run.world.devices) noticed += resets;
  }
  expect(noticed).toBeGreaterThan(SEEDS);
});
