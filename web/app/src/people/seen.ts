// "Online", "last seen at …", or nothing when it isn't known.

import type { Presence } from '@parley/client';
import { clockText, dateText, dayText, t, thisMinute } from '../i18n';

export function seenText(presence: Presence, nowMs = thisMinute()): string {
  if (presence.online) return t('presence.online');
  const seen = presence.lastSeenMs;
  if (seen === undefined || seen === 0) return '';
  const minutes = Math.floor((nowMs - seen) / 60_000);
  if (minutes < 1) return t('presence.just_now');
  if (minutes < 60) return t('presence.minutes', { n: minutes });
  const age = nowMs - seen;
  if (age < 6 * 86_400_000) {
    return t('presence.day', { day: dayText(seen, nowMs), time: clockText(seen) });
  }
  return t('presence.date', { date: dateText(seen) });
}
