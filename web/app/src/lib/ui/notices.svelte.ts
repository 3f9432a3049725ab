// Short notices at the edge of the window (toasts), and words for screen readers alone (announcements).

export interface Notice {
  id: number;
  text: string;
  kind: 'info' | 'error';
  action?: { label: string; run: () => void };
  /** Stays until it is closed. */
  stays: boolean;
}

const SHOWN_MS = 6_000;
const AT_ONCE = 3;

let notices = $state.raw<readonly Notice[]>([]);
let nextId = 1;

export function shownNotices(): readonly Notice[] {
  return notices;
}

/** Shows a notice for some seconds; returns how to take it away. Beyond three the oldest goes. */
export function notify(
  text: string,
  more: { kind?: Notice['kind']; action?: Notice['action']; stays?: boolean } = {},
): () => void {
  const notice: Notice = {
    id: nextId++,
    text,
    kind: more.kind ?? 'info',
    stays: more.stays ?? false,
    ...(more.action === undefined ? {} : { action: more.action }),
  };
  notices = [...notices.filter((other) => other.text !== text), notice].slice(-AT_ONCE);
  const close = () => {
    notices = notices.filter((other) => other.id !== notice.id);
  };
  if (!notice.stays) setTimeout(close, SHOWN_MS);
  return close;
}

export function closeNotice(id: number): void {
  notices = notices.filter((notice) => notice.id !== id);
}

let said = $state.raw<{ polite: string; urgent: string }>({ polite: '', urgent: '' });

/** What the live regions hold. */
export function announced(): { polite: string; urgent: string } {
  return said;
}

/** Says something to screen readers; the same words twice in a row are said twice. */
export function announce(text: string, how: 'polite' | 'urgent' = 'polite'): void {
  // A trailing no-break space makes the same text a change.
  const fresh = said[how] === text ? `${text}\u00a0` : text;
  said = { ...said, [how]: fresh };
}
