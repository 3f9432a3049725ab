// The time as far as sentences depend on it: "Today" becomes "Yesterday" while nobody touches the page. The one place
// that ticks for them; whatever reads it in a component is written anew when it changes.

const MINUTE_MS = 60_000;

let minute = $state(Date.now());
let day = $state(Date.now());

/** A moment of the present minute. Reactive. */
export function thisMinute(): number {
  return minute;
}

/** A moment of the present day, in the reader's time zone. Reactive. */
export function today(): number {
  return day;
}

function look(): void {
  const now = Date.now();
  // A clock that was set back counts as well.
  if (Math.floor(now / MINUTE_MS) !== Math.floor(minute / MINUTE_MS)) minute = now;
  if (new Date(now).toDateString() !== new Date(day).toDateString()) day = now;
}

/** Follows the clock; returns how to stop. */
export function followClock(): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const tick = () => {
    look();
    timer = setTimeout(tick, MINUTE_MS - (Date.now() % MINUTE_MS) + 5);
  };
  tick();
  // Timers stand still while the device sleeps and are late in hidden tabs.
  globalThis.document?.addEventListener('visibilitychange', look);
  return () => {
    clearTimeout(timer);
    globalThis.document?.removeEventListener('visibilitychange', look);
  };
}
