// Times, numbers and lists in the words of the chosen language, as they are written where the reader is.

import { today } from './now.svelte';
import { language, locale } from './translate.svelte';

const made = new Map<string, Intl.DateTimeFormat>();

function format(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale()} ${name}`;
  const found = made.get(key) ?? new Intl.DateTimeFormat(locale(), options);
  made.set(key, found);
  return found;
}

/** 14:05 */
export function clockText(timeMs: number): string {
  return format('clock', { hour: 'numeric', minute: '2-digit' }).format(timeMs);
}

/** 3 March 2026, 14:05 */
export function dateText(timeMs: number): string {
  return format('date', { dateStyle: 'long', timeStyle: 'short' }).format(timeMs);
}

/** 14:05 on the day it is compared with, otherwise 3 March, 14:05 or 03/03/2025, 14:05. */
export function momentText(timeMs: number, comparedMs: number): string {
  if (daysBetween(timeMs, comparedMs) === 0) return clockText(timeMs);
  const isYear = new Date(timeMs).getFullYear() === new Date(comparedMs).getFullYear();
  if (!isYear) return format('moment', { dateStyle: 'short', timeStyle: 'short' }).format(timeMs);
  const day = { day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit' } as const;
  return format('moment of year', day).format(timeMs);
}

/** March 2026 */
export function monthText(timeMs: number): string {
  return format('month', { month: 'long', year: 'numeric' }).format(timeMs);
}

/** Days between two moments as the calendar here counts them: 1 from late last night until early this morning. */
export function daysBetween(earlierMs: number, laterMs: number): number {
  const midnight = (ms: number) => {
    const day = new Date(ms);
    return Date.UTC(day.getFullYear(), day.getMonth(), day.getDate());
  };
  return Math.round((midnight(laterMs) - midnight(earlierMs)) / 86_400_000);
}

function sentence(text: string): string {
  return text.charAt(0).toLocaleUpperCase(language()) + text.slice(1);
}

/** Today, Yesterday, Monday, 3 March, 3 March 2025: for the lines between days. */
export function dayText(timeMs: number, nowMs = today()): string {
  const days = daysBetween(timeMs, nowMs);
  if (days === 0 || days === 1) {
    return sentence(
      new Intl.RelativeTimeFormat(language(), { numeric: 'auto' }).format(-days, 'day'),
    );
  }
  if (days > 1 && days < 7) return sentence(format('weekday', { weekday: 'long' }).format(timeMs));
  const thisYear = new Date(timeMs).getFullYear() === new Date(nowMs).getFullYear();
  if (thisYear) return format('day', { day: 'numeric', month: 'long' }).format(timeMs);
  return format('far day', { dateStyle: 'long' }).format(timeMs);
}

/** 14:05, Yesterday, Mon, 03/03/2026: short, for lists. */
export function agoText(timeMs: number, nowMs = today()): string {
  const days = daysBetween(timeMs, nowMs);
  if (days <= 0) return clockText(timeMs);
  if (days === 1) return dayText(timeMs, nowMs);
  if (days < 7) return format('short weekday', { weekday: 'short' }).format(timeMs);
  return format('short date', { dateStyle: 'short' }).format(timeMs);
}

export function numberText(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

/** Ann, Bob and Cid */
export function listText(items: readonly string[]): string {
  return new Intl.ListFormat(language(), { type: 'conjunction' }).format(items);
}
