// What only somebody who is signed in needs: loaded beside the page of signing in, not before it.

import type { Account } from './accounts.svelte';
import { connect } from './connect';
import { Session } from './session.svelte';

export { default as Frame } from './Frame.svelte';
export { default as WithSession } from './WithSession.svelte';

/** Opens the session of an account. */
export function openSession(account: Account): Session {
  return new Session(account, connect(account));
}
