// What rows are called for those who can't see them, and what is said of changes of a group.

import type { User } from '@parley/client';
import type { MessageRow, Progress, Row, SystemRow } from '@parley/client/view';
import type { Session } from '../../app/session.svelte';
import { clockText, dayText, listText, numberText, t } from '../../i18n';
import { oneLine } from '../text/segments';

export type NameOf = (user: User) => string;

/** What people are called in the middle of a sentence: the reader is "you". */
export function namesFor(session: Session): NameOf {
  return (user) => (user.id === session.me.id ? t('chat.youInside') : session.names.of(user));
}

/** Sender, what it answers, text, time, state: all that a row shows. */
export function rowLabel(row: Row, nameOf: NameOf): string {
  switch (row.kind) {
    case 'message':
      return messageLabel(row, nameOf);
    case 'system':
      return `${systemText(row, nameOf)}, ${clockText(row.timeMs)}`;
    case 'unknown':
      return t('chat.unknownEntry', { name: nameOf(row.sender) });
    case 'damaged':
      return t('chat.damagedEntry');
    case 'day':
      return dayText(row.timeMs);
    case 'unread':
      return t('chat.unreadLine', { n: row.count });
    case 'gap':
      return t('chat.gap');
  }
}

function messageLabel(row: MessageRow, nameOf: NameOf): string {
  const { message } = row;
  const parts = [message.own ? t('chat.you') : nameOf(message.sender)];
  if (message.forwarded) parts.push(t('chat.forwarded'));
  if (row.quote?.message) {
    parts.push(
      t('chat.replyTo', {
        name: row.quote.message.own ? t('chat.you') : nameOf(row.quote.message.sender),
        text: oneLine(row.quote.message.text, 80),
      }),
    );
  }
  parts.push(message.deleted ? t('chat.deleted') : oneLine(message.text, 600));
  parts.push(clockText(message.timeMs));
  if (message.edited && !message.deleted) parts.push(t('chat.edited'));
  if (message.pinned) parts.push(t('chat.pinned'));
  for (const { emoji, users } of message.reactions) {
    parts.push(t('chat.reactedBy', { emoji, names: listText(users.slice(0, 5).map(nameOf)) }));
  }
  if (row.progress) parts.push(progressText(row.progress, row.readBy));
  return parts.join(', ');
}

/** How far an own message is; of a group also how many have read it while not all have. */
export function progressText(progress: Progress, readBy: number): string {
  if (readBy > 0 && (progress === 'sent' || progress === 'delivered'))
    return t('chat.readByCount', { n: readBy });
  return t(`chat.progress.${progress}`);
}

/** The sentence of a change of the conversation. */
export function systemText(
  { what, sender, own }: Pick<SystemRow, 'what' | 'sender' | 'own'>,
  nameOf: NameOf,
): string {
  const who = own ? t('chat.you') : nameOf(sender);
  switch (what.type) {
    case 'created':
      return t('chat.system.created', { who, title: what.info.title });
    case 'changed':
      if (what.title !== undefined) return t('chat.system.title', { who, title: what.title });
      if (what.description !== undefined) return t('chat.system.description', { who });
      if (what.picture !== undefined) return t('chat.system.picture', { who });
      return t('chat.system.settings', { who });
    case 'added':
      return t('chat.system.added', { who, names: names(what.users, nameOf) });
    case 'removed':
      return t(what.ban ? 'chat.system.banned' : 'chat.system.removed', {
        who,
        name: nameOf(what.user),
      });
    case 'unbanned':
      return t('chat.system.unbanned', { who, name: nameOf(what.user) });
    case 'left':
      return t('chat.system.left', { who });
    case 'joined':
      return t('chat.system.joined', { who });
    case 'role':
      return t(`chat.system.role.${what.role}`, { who, name: nameOf(what.user) });
    case 'erased':
      return t('chat.system.erased', { who });
    case 'pinned':
      return t('chat.system.pinned', { who });
  }
}

/** The first few, and how many more. */
function names(users: readonly User[], nameOf: NameOf): string {
  const shown = users.slice(0, 8).map(nameOf);
  const more = users.length - shown.length;
  return listText(more > 0 ? [...shown, `+${numberText(more)}`] : shown);
}
