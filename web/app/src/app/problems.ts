// What a failure is called towards the person.

import { ParleyError } from '@parley/client';
import { type Key, t } from '../i18n';

const KNOWN: Partial<Record<string, Key>> = {
  credentials_wrong: 'problem.credentials_wrong',
  name_taken: 'problem.name_taken',
  name_invalid: 'problem.name_invalid',
  password_invalid: 'problem.password_invalid',
  too_many_devices: 'problem.too_many_devices',
  sign_up_closed: 'problem.sign_up_closed',
  not_found: 'problem.not_found',
  not_accepted: 'problem.not_accepted',
  forbidden: 'problem.forbidden',
  list_full: 'problem.list_full',
  group_full: 'problem.group_full',
  invite_invalid: 'problem.invite_invalid',
  target_invalid: 'problem.target_invalid',
  text_too_long: 'problem.text_too_long',
  storage_low: 'problem.storage_low',
  token_invalid: 'problem.token_invalid',
  session_revoked: 'problem.token_invalid',
};

/** One sentence that says what went wrong and, where it helps, what to do. */
export function problemText(thrown: unknown): string {
  const error = ParleyError.from(thrown);
  if (error.codeName === 'rate_limited') return rateText(error.retryAfterMs ?? 0);
  const key = error.codeName === undefined ? undefined : KNOWN[error.codeName];
  if (key !== undefined) return t(key);
  if (error.kind === 'network' || error.kind === 'timeout') return t('problem.network');
  if (error.isRetryable) return t('problem.busy');
  return t('problem.other', { name: error.codeName ?? error.kind });
}

function rateText(waitMs: number): string {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  if (seconds <= 90) return t('problem.rate_seconds', { n: seconds });
  return t('problem.rate_minutes', { n: Math.ceil(seconds / 60) });
}

/** Whether the session is over and one has to sign in again. */
export function isSignedOut(thrown: unknown): boolean {
  const { codeName } = ParleyError.from(thrown);
  return codeName === 'token_invalid' || codeName === 'session_revoked';
}
