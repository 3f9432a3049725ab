// When models report their changes: with the next frame, and some ten times a second when many come, so that typing and
// scrolling go on.

import type { Schedule } from '@parley/client/view';

const APART_MS = 80;

/** A schedule of its own for one model. */
export function paced(): Schedule {
  let last = Number.NEGATIVE_INFINITY;
  return (run) => {
    const wait = last + APART_MS - performance.now();
    const go = () => {
      last = performance.now();
      run();
    };
    // A hidden page has no frames.
    if (wait > 0 || document.hidden) setTimeout(go, Math.max(0, wait));
    else requestAnimationFrame(go);
  };
}

/** Runs something when the page has nothing to do; returns how to call it off. */
export function whenIdle(run: () => void, withinMs = 5_000): () => void {
  // Safari has no such moment.
  if (typeof requestIdleCallback === 'undefined') {
    const timer = setTimeout(run, 1_000);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(run, { timeout: withinMs });
  return () => cancelIdleCallback(handle);
}
