/**
 * What texts mean, for whoever reads and shows them: one definition for servers
 * and clients. `docs/text.md` describes the rules.
 *
 * @module
 */

export { fold } from './fold.ts';
