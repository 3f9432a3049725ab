// What a finger does with a message: a swipe answers it, a long press opens its menu. The mouse has buttons for both.

export interface TouchActions {
  /** May this one be answered now? */
  readonly canSwipe: () => boolean;
  /** How far it is drawn aside, in pixels, and whether letting go answers; nothing when it is over. */
  readonly onswipe: (swipe: Swipe | undefined) => void;
  readonly onreply: () => void;
  /** `target` is what the finger is on. */
  readonly onhold: (point: { x: number; y: number }, target: Element) => void;
}

export interface Swipe {
  /** To the end of the line: to the right where one writes from left to right. */
  readonly by: number;
  readonly answers: boolean;
}

const HOLD_MS = 500;
/** A finger that rests moves less. */
const STILL = 10;
/** Letting go after so far answers. */
const FAR = 56;
const MOST = 80;
/** At the edges of the window a swipe is the system's way back. */
const EDGE = 24;

/** The swipe that a finger makes; nothing when it scrolls or goes the other way. */
export function swipeOf(dx: number, dy: number, rtl: boolean): Swipe | undefined {
  const by = rtl ? -dx : dx;
  if (by < STILL || by < Math.abs(dy) * 1.5) return undefined;
  return { by: Math.min(MOST, by), answers: by >= FAR };
}

interface Finger {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly rtl: boolean;
  swipe: Swipe | undefined;
  moved: boolean;
}

/** What opens under the finger must not be pressed when the finger is lifted. */
function swallowClick(): void {
  const swallow = (event: Event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  const stop = () => {
    removeEventListener('click', swallow, { capture: true });
    removeEventListener('pointerdown', stop, { capture: true });
  };
  addEventListener('click', swallow, { capture: true });
  // The next touch means what it says.
  addEventListener('pointerdown', stop, { capture: true });
}

/** An attachment for the row of a message. */
export function touch(actions: TouchActions): (row: HTMLElement) => () => void {
  return (row) => {
    let finger: Finger | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;

    const end = () => {
      clearTimeout(timer);
      if (finger?.swipe) actions.onswipe(undefined);
      finger = undefined;
    };

    const down = (event: PointerEvent) => {
      end();
      if (event.pointerType !== 'touch' || !event.isPrimary) return;
      const { clientX: x, clientY: y, pointerId: id } = event;
      const rtl = getComputedStyle(row).direction === 'rtl';
      finger = { id, x, y, rtl, swipe: undefined, moved: x < EDGE || x > innerWidth - EDGE };
      const target = event.target as Element;
      timer = setTimeout(() => {
        end();
        swallowClick();
        actions.onhold({ x, y }, target);
      }, HOLD_MS);
    };

    const move = (event: PointerEvent) => {
      if (event.pointerId !== finger?.id) return;
      const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
      if (Math.hypot(dx, dy) > STILL) clearTimeout(timer);
      const swipe = finger.moved || !actions.canSwipe() ? undefined : swipeOf(dx, dy, finger.rtl);
      // Once it scrolls it goes on scrolling.
      if (!swipe && !finger.swipe && Math.abs(dy) > STILL) finger.moved = true;
      if (swipe || finger.swipe) actions.onswipe(swipe);
      finger.swipe = swipe;
    };

    const up = (event: PointerEvent) => {
      if (event.pointerId !== finger?.id) return;
      const answers = finger.swipe?.answers ?? false;
      end();
      if (answers) actions.onreply();
    };

    row.addEventListener('pointerdown', down);
    row.addEventListener('pointermove', move);
    row.addEventListener('pointerup', up);
    row.addEventListener('pointercancel', end);
    return () => {
      end();
      row.removeEventListener('pointerdown', down);
      row.removeEventListener('pointermove', move);
      row.removeEventListener('pointerup', up);
      row.removeEventListener('pointercancel', end);
    };
  };
}
