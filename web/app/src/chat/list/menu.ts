// What can be set for a conversation, from the list and from its head.

import Archive from '@lucide/svelte/icons/archive';
import Bell from '@lucide/svelte/icons/bell';
import BellOff from '@lucide/svelte/icons/bell-off';
import MailOpen from '@lucide/svelte/icons/mail-open';
import Pin from '@lucide/svelte/icons/pin';
import Trash2 from '@lucide/svelte/icons/trash-2';
import type { PreferencesChange } from '@parley/client';
import type { ConversationRow } from '@parley/client/view';
import { problemText } from '../../app/problems';
import type { Session } from '../../app/session.svelte';
import { t } from '../../i18n';
import type { MenuEntry } from '../../lib/ui';
import { notify } from '../../lib/ui';

const HOUR_MS = 3_600_000;

export async function prefer(
  session: Session,
  conversation: string,
  change: PreferencesChange,
): Promise<void> {
  try {
    await session.client.setPreferences(conversation, change);
  } catch (error) {
    notify(problemText(error), { kind: 'error' });
  }
}

/** `ondelete` asks before it deletes the chat; whoever is in a group leaves it first. */
export function conversationMenu(
  row: ConversationRow,
  session: Session,
  ondelete: (row: ConversationRow) => void,
): MenuEntry[] {
  const set = (change: PreferencesChange) => () => void prefer(session, row.id, change);
  const unread = row.unread > 0 || row.markedUnread;
  return [
    {
      id: 'pin',
      label: row.pinned ? t('chat.unpinConversation') : t('chat.pinConversation'),
      icon: Pin,
      onselect: set({ pinned: !row.pinned }),
    },
    unread
      ? {
          id: 'read',
          label: t('chat.markRead'),
          icon: MailOpen,
          onselect: () => void markRead(session, row),
        }
      : {
          id: 'unread',
          label: t('chat.markUnread'),
          icon: MailOpen,
          onselect: set({ markedUnread: true }),
        },
    ...(row.muted
      ? [{ id: 'unmute', label: t('chat.unmute'), icon: Bell, onselect: set({ mutedUntilMs: 0 }) }]
      : [
          {
            id: 'mute',
            label: t('chat.mute'),
            icon: BellOff,
            onselect: set({ mutedUntilMs: Number.POSITIVE_INFINITY }),
          },
          {
            id: 'mute-hours',
            label: t('chat.muteHours', { n: 8 }),
            icon: BellOff,
            onselect: () =>
              void prefer(session, row.id, { mutedUntilMs: Date.now() + 8 * HOUR_MS }),
          },
        ]),
    {
      id: 'archive',
      label: row.archived ? t('chat.unarchive') : t('chat.archive'),
      icon: Archive,
      onselect: set({ archived: !row.archived }),
    },
    ...(row.kind === 'direct' || row.former
      ? [
          {
            id: 'delete',
            label: t('chat.deleteChat'),
            icon: Trash2,
            danger: true,
            separated: true,
            onselect: () => ondelete(row),
          },
        ]
      : []),
  ];
}

async function markRead(session: Session, row: ConversationRow): Promise<void> {
  if (row.markedUnread) await prefer(session, row.id, { markedUnread: false });
  if (row.unread === 0) return;
  try {
    // Only what this device received can be acknowledged as read.
    const page = await session.client.history(row.id, { type: 'latest' }, { limit: 1 });
    await session.client.markRead(row.id, page.lastSeq);
  } catch (error) {
    notify(problemText(error), { kind: 'error' });
  }
}
