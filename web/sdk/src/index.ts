/**
 * The TypeScript SDK of Parley, for browsers and Node: connect, send, receive,
 * and never lose a message.
 *
 * @packageDocumentation
 */

export { ParleyError } from './error.ts';
export { HttpApi } from './http.ts';
export { UNKNOWN_FALLBACK } from './model.ts';
export type * from './types.ts';
