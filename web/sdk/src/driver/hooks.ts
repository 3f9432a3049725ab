/**
 * What the browser knows about the network and the page: back online, asleep,
 * out of sight. Nothing of it exists in Node, and nothing happens there.
 */

/** What is told. */
export interface Hooks {
  /** The network may be another one, or the page slept: is the link alive? */
  wake(): void;
  /** The network went away, as the browser believes. */
  offline(): void;
  /** The page is in front of its user, or not. */
  visible(visible: boolean): void;
}

/** The parts of `window` and `document` that are listened to. */
export interface Page {
  readonly window: EventTarget;
  readonly document: EventTarget & { readonly visibilityState: string };
}

/** This page, in a browser. */
export function thisPage(): Page | undefined {
  const { window, document } = globalThis as Partial<Page>;
  return window && document ? { window, document } : undefined;
}

/** Listens until the returned function is called. */
export function listen(page: Page, hooks: Hooks): () => void {
  const { window, document } = page;
  const stop = new AbortController();
  const { signal } = stop;
  const visibility = () => {
    const visible = document.visibilityState !== 'hidden';
    hooks.visible(visible);
    if (visible) hooks.wake();
  };
  window.addEventListener('online', () => hooks.wake(), { signal });
  window.addEventListener('offline', () => hooks.offline(), { signal });
  window.addEventListener('pageshow', () => hooks.wake(), { signal });
  document.addEventListener('resume', () => hooks.wake(), { signal });
  document.addEventListener('visibilitychange', visibility, { signal });
  hooks.visible(document.visibilityState !== 'hidden');
  return () => stop.abort();
}

/** A difference between the clocks that is a sleep, and no inaccuracy. */
const SLEEP_MS = 1_000;

/**
 * A clock that never goes back and counts sleep: `performance.now` stands still
 * while some systems sleep, `Date.now` may be set back.
 */
export function steadyClock(
  wallMs: () => number = Date.now,
  steadyMs: () => number = () => performance.now(),
): () => number {
  let [wall, steady, now] = [wallMs(), steadyMs(), 0];
  return () => {
    const [wallNow, steadyNow] = [wallMs(), steadyMs()];
    const step = Math.max(0, steadyNow - steady);
    const slept = wallNow - wall - step;
    now += slept > SLEEP_MS ? step + slept : step;
    [wall, steady] = [wallNow, steadyNow];
    return now;
  };
}
