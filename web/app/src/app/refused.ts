// What the server refused when nobody waits for it any more: after a reload, in another tab, offline for long. A
// message stays in its chat, to be sent again, taken back into the field or given up; anything else is put away, since
// there is no place where it could be seen. Both are said once.

import { type OutboxItem, ParleyError } from '@parley/client';
import { t } from '../i18n';
import { go } from '../lib/router.svelte';
import { notify } from '../lib/ui/notices.svelte';
import { problemText } from './problems';
import type { Session } from './session.svelte';

/** Whoever waits for an answer puts a refused one away within this time. */
export const GRACE_MS = 1_000;

/** Sees to refused sends until the returned function is called. */
export function watchRefused(session: Pick<Session, 'client' | 'slot'>): () => void {
  const { client, slot } = session;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const told = new Set<string>();

  const tell = (item: OutboxItem, action?: { label: string; run: () => void }): void => {
    if (!item.error || told.has(item.clientMessageId)) return;
    told.add(item.clientMessageId);
    const text = problemText(new ParleyError(item.error));
    notify(text, { kind: 'error', ...(action && { action }) });
  };

  const see = async (item: OutboxItem): Promise<void> => {
    const all = await client.outbox().catch((): OutboxItem[] => []);
    const now = all.find((other) => other.localId === item.localId);
    if (now?.status !== 'failed') return;
    if (now.action.type !== 'text') {
      tell(now);
      await client.discard(now.localId).catch(() => undefined);
    } else if (now.to.type === 'user' && !now.conversation) {
      const { user } = now.to;
      tell(now, { label: t('chat.show'), run: () => go({ name: 'direct', slot, user }) });
    }
  };

  const refused = (item: OutboxItem): void => {
    if (item.status !== 'failed') return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      void see(item);
    }, GRACE_MS);
    timers.add(timer);
  };

  const stop = client.on((event) => {
    if (event.type === 'outbox') refused(event.item);
  });
  void client
    .outbox()
    .then((all) => all.forEach(refused))
    .catch(() => undefined);
  return () => {
    stop();
    for (const timer of timers) clearTimeout(timer);
  };
}
