/**
 * A page without an interface: the shared client of one account, for tests to
 * act on.
 */
import { Client } from '@parley/client';
import { openShared, type SharedClient } from '@parley/client/tabs';
import { openTimeline, type TimelineView } from '@parley/client/view';

let client: SharedClient;
let timeline: TimelineView | undefined;
const events: string[] = [];
let storeError = '';

const tab = {
  /** Opens the account in this tab. */
  open(account: string, url: string, token: string, yieldAfterMs = 60_000): void {
    client = openShared({
      account,
      make: (store) =>
        new Client({
          url,
          auth: { kind: 'token', token },
          store,
          followVisibility: false,
          backoff: { baseMs: 50, maxMs: 400 },
        }),
      onStoreError: (error) => {
        storeError = String(error);
      },
      yieldAfterMs,
    });
    client.on((event) => events.push(event.type));
  },
  get client(): SharedClient {
    return client;
  },
  get events(): readonly string[] {
    return events;
  },
  get storeError(): string {
    return storeError;
  },
  /** Opens a conversation. */
  read(conversation: string): void {
    timeline?.close();
    timeline = openTimeline(client, conversation);
  },
  /** What the timeline shows: the text and the progress of each message. */
  rows(): string[] {
    return (timeline?.get().rows ?? []).map((row) => {
      if (row.kind !== 'message') return row.kind;
      return row.message.own ? `${row.message.text} ${row.progress}` : row.message.text;
    });
  },
  keys(): string[] {
    return (timeline?.get().rows ?? []).map((row) => row.key);
  },
  /** As the browser does when the user looks at another tab. */
  hide(hidden: boolean): void {
    Object.defineProperty(document, 'visibilityState', {
      configurable: true,
      get: () => (hidden ? 'hidden' : 'visible'),
    });
    document.dispatchEvent(new Event('visibilitychange'));
  },
};

export type TestTab = typeof tab;

declare global {
  interface Window {
    tab: TestTab;
  }
}
window.tab = tab;
