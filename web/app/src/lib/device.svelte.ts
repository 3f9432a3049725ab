// What is chosen for this browser: looks, language, keys, notifications. Kept in localStorage, followed by other
// tabs at once, put on the page by boot.js.

export type Theme = 'system' | 'light' | 'dark';
export type TextSize = 'small' | 'normal' | 'large' | 'huge';
export type Language = 'en' | 'ar';

export interface Device {
  theme: Theme;
  textSize: TextSize;
  /** `undefined` follows the browser. */
  language: Language | undefined;
  /** Enter sends and Shift+Enter breaks the line, or the other way round. */
  enterSends: boolean;
  notify: boolean;
  /** Whether a notification shows who wrote what. */
  notifyPreview: boolean;
}

export const LANGUAGES: readonly { language: Language; name: string }[] = [
  { language: 'en', name: 'English' },
  { language: 'ar', name: 'العربية' },
];

const KEY = 'parley.device';

const DEFAULTS: Device = {
  theme: 'system',
  textSize: 'normal',
  language: undefined,
  enterSends: true,
  notify: false,
  notifyPreview: true,
};

/** Reads what was stored; anything odd in it counts as not chosen. */
export function readDevice(text: string | null): Device {
  let stored: Partial<Record<keyof Device, unknown>> = {};
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (value !== null && typeof value === 'object') stored = value;
  } catch {
    // Not JSON: as if nothing was stored.
  }
  const pick = <T>(value: unknown, allowed: readonly T[], otherwise: T): T =>
    allowed.includes(value as T) ? (value as T) : otherwise;
  return {
    theme: pick<Theme>(stored.theme, ['system', 'light', 'dark'], DEFAULTS.theme),
    textSize: pick<TextSize>(
      stored.textSize,
      ['small', 'normal', 'large', 'huge'],
      DEFAULTS.textSize,
    ),
    language: pick<Language | undefined>(stored.language, ['en', 'ar'], undefined),
    enterSends: pick(stored.enterSends, [true, false], DEFAULTS.enterSends),
    notify: pick(stored.notify, [true, false], DEFAULTS.notify),
    notifyPreview: pick(stored.notifyPreview, [true, false], DEFAULTS.notifyPreview),
  };
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is forbidden: defaults, and choices last until reload
  }
}

let device = $state.raw<Device>(readDevice(stored()));

/** The present choices. */
export function deviceSettings(): Device {
  return device;
}

/** Changes some of the choices, here and in the other tabs. */
export function changeDevice(change: Partial<Device>): void {
  device = { ...device, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(device));
  } catch {
    // Storage is forbidden or full: the choice lasts until the page goes.
  }
  globalThis.parleyBoot();
}

/** Follows what other tabs choose; returns how to stop. */
export function followDevice(): () => void {
  const changed = (event: StorageEvent) => {
    if (event.key !== KEY && event.key !== null) return;
    device = readDevice(event.newValue);
    globalThis.parleyBoot();
  };
  addEventListener('storage', changed);
  return () => removeEventListener('storage', changed);
}
