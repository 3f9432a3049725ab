// What this browser is called in the list of devices. Signing in with the name of a device that exists is that
// device again, so the name is unlike that of any other browser and stays.

export const PLATFORM = 'web';
const KEY = 'parley.device-name';

export function deviceName(): string {
  const found = read();
  if (found !== null && found.length >= 1 && found.length <= 64) return found;
  const mark = Array.from(crypto.getRandomValues(new Uint8Array(3)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
  const name = `${describe(navigator.userAgent)} · ${mark}`;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Then each sign-in is a new device.
  }
  return name;
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** "Firefox on Linux". The order matters: most browsers also claim to be another. */
export function describe(userAgent: string): string {
  const pick = (names: readonly [RegExp, string][], otherwise: string) =>
    names.find(([pattern]) => pattern.test(userAgent))?.[1] ?? otherwise;
  const browser = pick(
    [
      [/Edg(e|A|iOS)?\//, 'Edge'],
      [/OPR\//, 'Opera'],
      [/SamsungBrowser\//, 'Samsung Internet'],
      [/Firefox\/|FxiOS\//, 'Firefox'],
      [/Chrome\/|CriOS\/|Chromium\//, 'Chrome'],
      [/Safari\//, 'Safari'],
    ],
    'Browser',
  );
  const system = pick(
    [
      [/Android/, 'Android'],
      [/iPhone|iPod/, 'iPhone'],
      [/iPad/, 'iPad'],
      [/Windows/, 'Windows'],
      [/CrOS/, 'ChromeOS'],
      [/Mac OS X|Macintosh/, 'macOS'],
      [/Linux|X11/, 'Linux'],
    ],
    '',
  );
  return system === '' ? browser : `${browser} on ${system}`;
}
