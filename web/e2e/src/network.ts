/** The network between a page and the server, for tests in which it is slow or gone. */
import type { BrowserContext } from 'playwright-core';

export interface Held {
  /** Nothing that pages say reaches the server from now on. */
  hold(): void;
  /** All of it does, and what comes after. */
  release(): void;
}

/** Lets a test hold what a device's pages send; to be called before one is opened. */
export async function holdable(context: BrowserContext): Promise<Held> {
  let waiting: (() => void)[] | undefined;
  await context.routeWebSocket(/\/v1\/ws/, (page) => {
    const server = page.connectToServer();
    page.onMessage((message) => {
      if (waiting) waiting.push(() => server.send(message));
      else server.send(message);
    });
  });
  return {
    hold() {
      waiting ??= [];
    },
    release() {
      const all = waiting ?? [];
      waiting = undefined;
      for (const send of all) send();
    },
  };
}
