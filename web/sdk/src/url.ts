/** Where the server is. */

import { ParleyError, problem } from './error.ts';

/** An http(s) URL without a slash at its end; of the page when none is given. */
export function baseUrl(url: string | undefined): string {
  const page = globalThis.location?.origin;
  const given = url ?? page;
  const parsed = given && URL.canParse(given) ? new URL(given) : undefined;
  const scheme = parsed && { 'ws:': 'http:', 'wss:': 'https:' }[parsed.protocol];
  const protocol = scheme ?? parsed?.protocol;
  if (!parsed || (protocol !== 'http:' && protocol !== 'https:')) {
    throw new ParleyError(problem('invalidArgument', "the server's URL begins with http or https"));
  }
  return `${protocol}//${parsed.host}`;
}
