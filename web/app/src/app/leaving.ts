// Signing out: on the server if it can be reached, and always in this browser.

import { forgetDrafts } from '../chat/state/drafts';
import { t } from '../i18n';
import { go } from '../lib/router.svelte';
import { notify } from '../lib/ui/notices.svelte';
import { type Account, lastSlot, removeAccount } from './accounts.svelte';
import { forgetKept } from './connect';

import { isSignedOut, problemText } from './problems';
import type { Session } from './session.svelte';
import { closeNotifications } from './shown-notifications';

/** Signs this browser out and wipes what it kept. Without network it says so, since the session would live on. */
export async function leaveAccount(session: Session): Promise<void> {
  session.leaving();
  try {
    await session.api.signOut();
  } catch (error) {
    if (!isSignedOut(error)) {
      notify(t('accounts.sign_out_failed', { reason: problemText(error) }), { kind: 'error' });
      return;
    }
  }
  await dropAccount(session);
}

/** Wipes what this browser kept of an account whose session is over. */
export async function dropAccount(session: Session): Promise<void> {
  // Before the frame goes, which would only close it.
  await session.forget().catch(() => undefined);
  await forgetAccount({ userId: session.me.id, slot: session.slot });
}

/** Wipes what this browser kept of an account that isn't open. */
export async function forgetAccount(account: Pick<Account, 'userId' | 'slot'>): Promise<void> {
  await forgetKept(account.userId);
  forgetDrafts(account.userId);
  await closeNotifications(account.slot).catch(() => undefined);
  removeAccount(account.slot);
  goOn();
}

function goOn(): void {
  const slot = lastSlot();
  go(slot === undefined ? { name: 'sign-in' } : { name: 'chats', slot }, { replace: true });
}
