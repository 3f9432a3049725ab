/**
 * Models for user interfaces: conversation list, timeline, search, presence, typing.
 *
 * They take any {@link ClientApi} and return snapshots; nothing in them knows a
 * framework or the DOM.
 *
 * @module
 */

export { sameEmoji } from '../emoji.ts';
export { conversationList, type ListOptions } from './list.ts';
export { excerpt, hasAll, type Piece, type Wanted, wantedWords } from './match.ts';
export { type Schedule, soon } from './observable.ts';
export {
  type HistorySearch,
  type Hit,
  type SearchOptions,
  type SearchSnapshot,
  searchHistory,
} from './search.ts';
export { openTimeline, type TimelineOptions } from './timeline.ts';
export type * from './types.ts';
export { presence, typing } from './typing.ts';
export { withoutBlankEnds } from './written.ts';
