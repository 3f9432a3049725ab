// How a session is put together: one connection for all tabs of an account, and a cache for what was seen.

import { Client } from '@parley/client';
import { openPeople, wipe } from '@parley/client/cache';
import { openShared } from '@parley/client/tabs';
import { conversationList, presence, typing } from '@parley/client/view';
import { paced } from '../lib/paced';
import type { Account } from './accounts.svelte';
import type { Connection } from './session.svelte';

export function connect(account: Account): Connection {
  const client = openShared({
    account: account.userId,
    make: (store) =>
      new Client({
        auth: { kind: 'cookie', slot: account.slot },
        store,
        // Whether the app is in view is known from all its tabs together.
        followVisibility: false,
        clientName: 'parley-web',
      }),
  });
  const views = {
    conversations: conversationList(client, { schedule: paced() }),
    presence: presence(client),
    typing: typing(client),
  };
  const closeViews = () => {
    for (const view of Object.values(views)) view.close();
  };
  return {
    client,
    people: openPeople(account.userId),
    ...views,
    async close() {
      closeViews();
      await client.close();
    },
    async forget() {
      closeViews();
      await client.forget();
    },
  };
}

/** Wipes what is kept of an account that isn't open. */
export async function forgetKept(userId: string): Promise<void> {
  await wipe(userId);
}
