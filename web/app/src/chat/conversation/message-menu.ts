// The menu of one message: what this person may do with it.

import CircleCheck from '@lucide/svelte/icons/circle-check';
import Copy from '@lucide/svelte/icons/copy';
import Flag from '@lucide/svelte/icons/flag';
import Forward from '@lucide/svelte/icons/forward';
import History from '@lucide/svelte/icons/history';
import Info from '@lucide/svelte/icons/info';
import Link from '@lucide/svelte/icons/link';
import Pencil from '@lucide/svelte/icons/pencil';
import Pin from '@lucide/svelte/icons/pin';
import Plus from '@lucide/svelte/icons/plus';
import Reply from '@lucide/svelte/icons/reply';
import SmilePlus from '@lucide/svelte/icons/smile-plus';
import Trash from '@lucide/svelte/icons/trash-2';
import { type MessageRow, sameEmoji } from '@parley/client/view';
import type { Session } from '../../app/session.svelte';
import { dateText, t } from '../../i18n';
import type { MenuEntry } from '../../lib/ui';
import { copyText } from '../text/copy';
import { type Anchor, QUICK, type RowActions } from '../timeline/actions';
import type { NameOf } from '../timeline/label';

export type MessageDialog = 'delete' | 'forward' | 'receipts' | 'reactions' | 'edits' | 'report';

export interface MessageMenuContext {
  readonly session: Session;
  readonly group: boolean;
  readonly canWrite: boolean;
  readonly canPin: boolean;
  /** For all, not only for oneself. */
  readonly canDelete: boolean;
  readonly actions: Omit<RowActions, 'jump' | 'retry' | 'discard'>;
  readonly pin: (row: MessageRow) => void;
  readonly open: (dialog: MessageDialog, row: MessageRow) => void;
  /** What the menu was opened at. */
  readonly anchor: Anchor;
  readonly copyLink: (row: MessageRow) => string;
}

/** What several messages say, with who said it and when; of one its text alone. */
export function textOf(rows: readonly MessageRow[], nameOf: NameOf): string {
  if (rows.length === 1) return rows[0]?.message.text ?? '';
  const said = ({ message }: MessageRow) =>
    `${message.own ? t('chat.you') : nameOf(message.sender)}, ${dateText(message.timeMs)}:\n${message.text}`;
  return rows.map(said).join('\n\n');
}

export function messageMenu(row: MessageRow, context: MessageMenuContext): MenuEntry[] {
  const { message } = row;
  const { canWrite, actions } = context;
  const remove: MenuEntry = {
    id: 'delete',
    label: t('chat.delete'),
    icon: Trash,
    danger: true,
    separated: message.own && !message.deleted,
    onselect: () => context.open('delete', row),
  };
  // Of what is gone only its place is left.
  if (message.deleted) return [remove];
  const entries: (MenuEntry | false)[] = [
    ...(canWrite ? reactionRow(row, context) : []),
    canWrite && {
      id: 'reply',
      label: t('chat.reply'),
      icon: Reply,
      onselect: () => actions.reply(row),
    },
    canWrite &&
      message.own && {
        id: 'edit',
        label: t('chat.edit'),
        icon: Pencil,
        onselect: () => actions.edit(row),
      },
    {
      id: 'copy',
      label: t('chat.copy'),
      icon: Copy,
      separated: true,
      onselect: () => void copyText(message.text),
    },
    {
      id: 'link',
      label: t('chat.copyLink'),
      icon: Link,
      onselect: () => void copyText(context.copyLink(row)),
    },
    {
      id: 'forward',
      label: t('chat.forward'),
      icon: Forward,
      onselect: () => context.open('forward', row),
    },
    {
      id: 'select',
      label: t('chat.select'),
      icon: CircleCheck,
      onselect: () => actions.select(row, false),
    },
    context.canPin && {
      id: 'pin',
      label: message.pinned ? t('chat.unpin') : t('chat.pin'),
      icon: Pin,
      onselect: () => context.pin(row),
    },
    message.own && {
      id: 'receipts',
      label: t('chat.receipts'),
      icon: Info,
      onselect: () => context.open('receipts', row),
    },
    message.reactions.length > 0 && {
      id: 'reactions',
      label: t('chat.reactions'),
      icon: SmilePlus,
      onselect: () => actions.reactions(row),
    },
    message.edited !== undefined && {
      id: 'edits',
      label: t('chat.edits'),
      icon: History,
      onselect: () => context.open('edits', row),
    },
    !message.own && {
      id: 'report',
      label: t('chat.report'),
      icon: Flag,
      separated: true,
      onselect: () => context.open('report', row),
    },
    remove,
  ];
  return entries.filter((entry) => entry !== false);
}

/** One press for the usual ones, and a way to all others. */
function reactionRow(row: MessageRow, context: MessageMenuContext): MenuEntry[] {
  const { actions, anchor, session } = context;
  const mine = row.message.reactions.filter(({ users }) =>
    users.some((user) => user.id === session.me.id),
  );
  return [
    ...QUICK.map((emoji) => {
      const checked = mine.some((one) => sameEmoji(one.emoji, emoji));
      return {
        id: `react-${emoji}`,
        label: t(checked ? 'chat.reactNoMore' : 'chat.reactWith', { emoji }),
        sign: emoji,
        row: true,
        checked,
        onselect: () => actions.react(row, emoji),
      };
    }),
    {
      id: 'react-other',
      label: t('chat.reactOther'),
      icon: Plus,
      row: true,
      onselect: () => actions.pickReaction(row, anchor),
    },
  ];
}
