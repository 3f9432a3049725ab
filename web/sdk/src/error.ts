/**
 * The one error type of the SDK.
 *
 * It never holds message text, a password or a token, so it may be logged.
 */

import { CODES, type CodeName, type Retry } from './gen/errors.ts';

/** What failed. */
export type ErrorKind =
  /** An argument is not usable. */
  | 'invalidArgument'
  /** No connection. */
  | 'network'
  /** The time limit passed. What was asked may still have happened. */
  | 'timeout'
  /** The credentials or the token were refused. */
  | 'signIn'
  /** The server refused the request; see `code`. */
  | 'refused'
  /** The server sent something that is not the protocol. */
  | 'protocol'
  /** The local store failed. */
  | 'store'
  /** The outbox, or the table of open requests, is full. */
  | 'full'
  /** The send was aborted before it left. */
  | 'aborted'
  /** The client is closed, or draining and takes nothing new. */
  | 'closed';

/** An error as plain data, for events and for other tabs. */
export interface ErrorInfo {
  readonly kind: ErrorKind;
  /** For people; may change between releases. */
  readonly text: string;
  /** The number from the error table, when the server gave one. */
  readonly code?: number | undefined;
  /** The stable name that goes with it, when this build knows it. */
  readonly name?: CodeName | undefined;
  /** What a client does about it. */
  readonly retry?: Retry | undefined;
  /** How long to wait before trying again, when the server said so. */
  readonly retryAfterMs?: number | undefined;
}

/** Why an operation failed. */
export class ParleyError extends Error {
  override readonly name = 'ParleyError';

  constructor(readonly info: ErrorInfo) {
    super(info.name ? `${info.text} (${info.name})` : info.text);
  }

  get kind(): ErrorKind {
    return this.info.kind;
  }

  get code(): number | undefined {
    return this.info.code;
  }

  get codeName(): CodeName | undefined {
    return this.info.name;
  }

  get retryAfterMs(): number | undefined {
    return this.info.retryAfterMs;
  }

  /** Whether the same call may succeed later without anything being changed. */
  get isRetryable(): boolean {
    return isRetryable(this.info);
  }

  /** Any thrown thing as this type. */
  static from(thrown: unknown): ParleyError {
    if (thrown instanceof ParleyError) return thrown;
    return new ParleyError(problem('network', thrown instanceof Error ? thrown.name : 'failed'));
  }
}

/** An error of the client's own. */
export function problem(kind: ErrorKind, text: string): ErrorInfo {
  return { kind, text };
}

export function closed(): ErrorInfo {
  return problem('closed', 'the client is closed');
}

/** The retry class of a number, also of one this build doesn't know. */
export function verdict(code: number): Retry {
  // 5xx is the server's condition, by the table's own order; what differs from it has its word.
  return CODES[code]?.[1] ?? (code >= 500 && code < 600 ? 'retry_after' : 'stop');
}

/** An error the server reported by number. */
export function fromCode(code: number, text = '', retryAfterMs = 0): ErrorInfo {
  const name = CODES[code]?.[0];
  const retry = verdict(code);
  // The text comes from the network: bounded, and without control characters.
  const clean = text.replace(/\p{Cc}/gu, '').slice(0, 300);
  return {
    kind: retry === 'sign_in' || name === 'credentials_wrong' ? 'signIn' : 'refused',
    text: clean || name?.replaceAll('_', ' ') || `error ${code}`,
    code,
    name,
    retry,
    retryAfterMs: retryAfterMs || undefined,
  };
}

/** As {@link fromCode}, by name. */
export function fromName(name: CodeName): ErrorInfo {
  const found = Object.entries(CODES).find(([, row]) => row?.[0] === name);
  return fromCode(Number(found?.[0]));
}

export function isRetryable(error: ErrorInfo): boolean {
  if (error.retry) return error.retry === 'retry_now' || error.retry === 'retry_after';
  return error.kind === 'network' || error.kind === 'timeout' || error.kind === 'full';
}
