// What can be done with a message, from its row, its menu and its keys alike.

import type { MessageRow } from '@parley/client/view';

/** What a menu or a picker opens at: an element, or a point of the window. */
export type Anchor = Element | { x: number; y: number };

export interface RowActions {
  reply(row: MessageRow): void;
  edit(row: MessageRow): void;
  react(row: MessageRow, emoji: string): void;
  pickReaction(row: MessageRow, anchor: Anchor): void;
  /** Shows who reacted. */
  reactions(row: MessageRow): void;
  menu(row: MessageRow, anchor: Anchor): void;
  jump(seq: number, from: MessageRow): void;
  retry(row: MessageRow): void;
  discard(row: MessageRow): void;
  receipts(row: MessageRow): void;
  edits(row: MessageRow): void;
  mention(user: string): void;
  /** What can be done with somebody who is named here. */
  person(user: string, anchor: Anchor): void;
  /** Takes the text of one that was refused back into the field. */
  rewrite(row: MessageRow): void;
  copy(row: MessageRow): void;
  /** Takes it into the selection or out; with `range` all from the one chosen before. */
  select(row: MessageRow, range: boolean): void;
}

/** Reactions that are one press away. */
export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🙏'] as const;
