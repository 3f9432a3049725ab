// Short words about conversations: their names, who is there, who writes, the line below the name.

import type { User } from '@parley/client';
import { shownName } from '@parley/client/text';
import type { ConversationRow } from '@parley/client/view';
import type { Session } from '../../app/session.svelte';
import { listText, t } from '../../i18n';
import { plainText } from '../text/segments';
import { namesFor, systemText } from '../timeline/label';

export function conversationName(
  row: Pick<ConversationRow, 'kind' | 'peer' | 'title'>,
  session: Session,
): string {
  if (row.kind === 'group') return shownName(row.title) || t('chat.group');
  if (!row.peer) return t('chat.somebody');
  return row.peer.id === session.me.id ? t('chat.notes') : session.names.of(row.peer);
}

export function typingText(typing: readonly User[], session: Session, named: boolean): string {
  if (!named) return t('chat.typing');
  const names = typing.slice(0, 3).map((user) => session.names.of(user));
  return t('chat.typingNames', { names: listText(names), n: typing.length });
}

/** What the last thing was, in one line. */
export function previewText(row: ConversationRow, session: Session): string {
  const { preview } = row;
  if (!preview) return '';
  const nameOf = namesFor(session);
  if (preview.what === 'deleted') return t('chat.deleted');
  if (preview.what === 'system' && preview.event)
    return systemText({ what: preview.event, sender: preview.sender, own: preview.own }, nameOf);
  if (preview.what !== 'message') return t('chat.unknownEntry', { name: nameOf(preview.sender) });
  const text = plainText(preview.text);
  if (preview.own) return t('chat.previewOwn', { text });
  if (row.kind === 'group') return t('chat.says', { name: nameOf(preview.sender), text });
  return text;
}
