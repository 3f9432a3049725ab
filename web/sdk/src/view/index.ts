/**
 * Models for user interfaces: conversation list, timeline, presence, typing.
 *
 * @module
 */

export type * from './types.ts';
