/**
 * Values that change, told at most once a turn.
 *
 * A model marks its snapshot stale as often as it likes; it is made anew once,
 * when somebody asks or when the scheduler says so. So a burst of events costs
 * one snapshot.
 */

import type { Readable } from './types.ts';

/** Runs something soon: a microtask, an animation frame. */
export type Schedule = (run: () => void) => void;

/** As soon as the present work is done. */
export const soon: Schedule = (run) => queueMicrotask(run);

/** Something made from a model's state, on demand. */
export class Snapshot<T> implements Readable<T> {
  readonly #make: () => T;
  readonly #schedule: Schedule;
  readonly #watch: (() => () => void) | undefined;
  #unwatch: (() => void) | undefined;
  #value: T | undefined;
  #stale = true;
  #scheduled = false;
  /** Each subscriber with the value it was told last. */
  readonly #subscribers = new Map<object, { run: (value: T) => void; told: T }>();

  /** `watch` is called when the first subscriber comes, what it returns when the last one goes. */
  constructor(make: () => T, schedule: Schedule = soon, watch?: () => () => void) {
    this.#make = make;
    this.#schedule = schedule;
    this.#watch = watch;
  }

  get(): T {
    if (this.#stale) {
      this.#value = this.#make();
      this.#stale = false;
    }
    return this.#value as T;
  }

  subscribe(run: (value: T) => void): () => void {
    const name = {};
    if (this.#subscribers.size === 0 && this.#watch) this.#unwatch = this.#watch();
    const told = this.get();
    this.#subscribers.set(name, { run, told });
    run(told);
    return () => {
      if (!this.#subscribers.delete(name) || this.#subscribers.size > 0) return;
      this.#unwatch?.();
      this.#unwatch = undefined;
    };
  }

  /** What it is made from changed. */
  invalidate(): void {
    this.#stale = true;
    if (this.#scheduled || this.#subscribers.size === 0) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.#tell();
    });
  }

  #tell(): void {
    for (const [name, subscriber] of [...this.#subscribers]) {
      // One that was told may have made others go, or changed the model.
      if (!this.#subscribers.has(name)) continue;
      const value = this.get();
      if (value === subscriber.told) continue;
      subscriber.told = value;
      try {
        subscriber.run(value);
      } catch (error) {
        // A subscriber's fault must not silence the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** A timer can't wait longer. */
const LONGEST_MS = 2 ** 31 - 1;

/** Waits for one moment, the one it was told last. */
export class Timer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Runs `run` in so many milliseconds; never when they are infinite. */
  start(inMs: number, run: () => void): void {
    this.stop();
    if (!Number.isFinite(inMs)) return;
    // One millisecond more: timers may come a little early.
    this.#timer = setTimeout(run, Math.min(Math.max(inMs, 0) + 1, LONGEST_MS));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
