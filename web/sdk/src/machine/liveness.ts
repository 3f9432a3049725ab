/**
 * Whether the connection lives: heartbeats, and how long the server may be
 * silent before the link counts as dead.
 */

/** How long a server may be silent while a request waits, and after a probe. */
const SILENCE_MS = 10_000;
const PROBE_MS = 3_000;

/** Bounds of a heartbeat: a server can't make the client ping without end, nor forget it. */
const LEAST_MS = 50;
const MOST_MS = 3_600_000;

const NEVER = Number.POSITIVE_INFINITY;

export class Liveness {
  /** In front of the user and behind. */
  #heartbeatsMs: readonly [number, number] = [30_000, 30_000];
  #background = false;
  #pingAtMs = NEVER;
  #heardMs = 0;
  #probeUntilMs = NEVER;

  /** Whether the app is behind. */
  get isBackground(): boolean {
    return this.#background;
  }

  get #heartbeatMs(): number {
    return this.#heartbeatsMs[this.#background ? 1 : 0];
  }

  /** A session opens with these heartbeats; 0 behind means as in front. */
  handleWelcome(nowMs: number, frontMs: number, behindMs: number): void {
    const bounded = (ms: number) => Math.min(Math.max(ms, LEAST_MS), MOST_MS);
    this.#heartbeatsMs = [bounded(frontMs), bounded(behindMs || frontMs)];
    this.#pingAtMs = nowMs + this.#heartbeatMs;
  }

  /** Something was heard. */
  handleHeard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#probeUntilMs = NEVER;
  }

  /** The app went behind or came back; in a session the server is told at once. */
  setBackground(nowMs: number, background: boolean, inSession: boolean): void {
    if (this.#background === background) return;
    this.#background = background;
    if (inSession) this.#pingAtMs = nowMs;
  }

  /** Pings now; the link counts as dead when nothing is heard soon. Only in a session. */
  probe(nowMs: number): void {
    this.#pingAtMs = nowMs;
    this.#probeUntilMs = Math.min(this.#probeUntilMs, nowMs + PROBE_MS);
  }

  /** Whether a ping is due, which is then taken as made. */
  takePing(nowMs: number): boolean {
    if (this.#pingAtMs > nowMs) return false;
    this.#pingAtMs = nowMs + this.#heartbeatMs;
    return true;
  }

  /**
   * When the link counts as dead: nothing at all was heard for two and a half
   * heartbeats, for {@link SILENCE_MS} (at least one heartbeat) with a request
   * waiting, or after a probe. `oldestMs` is when the oldest request without an
   * answer was made.
   */
  deadAtMs(oldestMs = NEVER, requestTimeoutMs = NEVER): number {
    const patienceMs = Math.max(SILENCE_MS, this.#heartbeatMs);
    return Math.min(
      this.#heardMs + 2.5 * this.#heartbeatMs,
      Math.max(oldestMs, this.#heardMs) + patienceMs,
      oldestMs + requestTimeoutMs,
      this.#probeUntilMs,
    );
  }

  /** When the next ping is due. */
  deadline(): number {
    return this.#pingAtMs;
  }

  endSession(): void {
    this.#pingAtMs = NEVER;
    this.#probeUntilMs = NEVER;
  }
}
