/**
 * What texts mean, for whoever reads and shows them: one definition for servers
 * and clients. `docs/text.md` describes the rules.
 *
 * @module
 */

export { sameEmoji } from '../emoji.ts';
export { emojiAlone, shortened } from './emoji.ts';
export { fold } from './fold.ts';
export { findLinks, type Link, labelledLink, safeLink } from './links.ts';
export {
  type Block,
  type MarkOptions,
  type Marks,
  marksOf,
  mayFormat,
  type Span,
  type Style,
} from './marks.ts';
export { type Begun, begunMention, findMentions } from './mentions.ts';
export { shownName } from './names.ts';
