/**
 * The TypeScript SDK of Parley, for browsers and Node: connect, send, receive,
 * and never lose a message.
 *
 * @packageDocumentation
 */

export { Client, SendHandle } from './client.ts';
export { ParleyError } from './error.ts';
export type { CodeName, CodeRow, Retry } from './gen/errors.ts';
export { CODES } from './gen/errors.ts';
export { type Credentials, HttpApi, type SignedIn, type SignIn } from './http.ts';
export { UNKNOWN_FALLBACK } from './model.ts';
export type { Auth, ClientOptions } from './options.ts';
export type { HttpAuth, HttpOptions, Ticket } from './request.ts';
export type * from './types.ts';
export { VERSION } from './version.ts';
