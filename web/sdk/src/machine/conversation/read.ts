/**
 * The user's read cursor in one conversation. It moves only on the
 * application's word, and is sent until the server has it.
 */

import type { ErrorInfo } from '../../error.ts';
import type { Due } from './delivered.ts';

/** Refusals in a row after which the application is told. */
const REFUSALS = 3;

/** How far the user has read. */
export class ReadMark {
  #confirmed: number;
  #wanted: number;
  #onItsWay = false;
  #notBeforeMs = 0;
  #refusals = 0;
  #waiting: { upTo: number; call: number }[] = [];

  constructor(confirmed: number, wanted: number) {
    this.#confirmed = confirmed;
    this.#wanted = Math.max(wanted, confirmed);
  }

  /** The server's cursor, as far as known. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Up to where the application wants it. */
  get wanted(): number {
    return this.#wanted;
  }

  get isPending(): boolean {
    return this.#wanted > this.#confirmed;
  }

  /** The application wants it there, and `call` waits for the server. False when it is there already. */
  want(upTo: number, call: number): boolean {
    if (upTo <= this.#confirmed) return false;
    this.#wanted = Math.max(this.#wanted, upTo);
    this.#waiting.push({ upTo, call });
    return true;
  }

  due(): Due | undefined {
    return this.isPending && !this.#onItsWay
      ? { atMs: this.#notBeforeMs, upTo: this.#wanted }
      : undefined;
  }

  start(): void {
    this.#onItsWay = true;
  }

  /** The server took it, or another device's. Returns the calls that are done. */
  handleConfirmed(upTo: number): number[] {
    this.#confirmed = Math.max(this.#confirmed, upTo);
    this.#wanted = Math.max(this.#wanted, this.#confirmed);
    const done = this.#waiting.filter((it) => it.upTo <= this.#confirmed);
    this.#waiting = this.#waiting.filter((it) => it.upTo > this.#confirmed);
    return done.map((it) => it.call);
  }

  finish(): void {
    this.#onItsWay = false;
    this.#refusals = 0;
  }

  /** The server refused. Returns the calls that fail, when it is for good. */
  handleFailure(nowMs: number, again: boolean): number[] {
    this.#onItsWay = false;
    this.#refusals++;
    this.#notBeforeMs = nowMs + 200 * this.#refusals;
    if (again && this.#refusals < REFUSALS) return [];
    this.#refusals = 0;
    this.#wanted = this.#confirmed;
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting.map((it) => it.call);
  }

  /** The call's time is up; the cursor is still sent. */
  forget(call: number): void {
    this.#waiting = this.#waiting.filter((it) => it.call !== call);
  }

  handleDisconnected(): void {
    this.#onItsWay = false;
    this.#refusals = 0;
    this.#notBeforeMs = 0;
  }
}

/** Whether a refusal of a cursor may end well after the session was given more. */
export function isCursorAhead(error: ErrorInfo): boolean {
  return error.name === 'cursor_ahead';
}
