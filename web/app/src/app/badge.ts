// The number of unread messages, on the tab's icon and, where the app is installed, on the app's.

const ICON = '/icon.svg';
const SIZE = 64;

/** The number as it fits on an icon. */
export function badgeText(count: number): string {
  return count > 99 ? '99+' : String(count);
}

let base: Promise<HTMLImageElement> | undefined;
/** The newest call: what an older one draws late is not shown. */
let newest = 0;

/** Shows a number on the icon; none for 0. */
export async function showBadge(count: number): Promise<void> {
  newest += 1;
  const call = newest;
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  void setAppBadge(count);
  if (!link) return;
  const [href, type] = count > 0 ? [await drawn(count), 'image/png'] : [ICON, 'image/svg+xml'];
  if (call !== newest || link.getAttribute('href') === href) return;
  link.type = type;
  link.href = href;
}

async function setAppBadge(count: number): Promise<void> {
  try {
    if (count > 0) await navigator.setAppBadge?.(count);
    else await navigator.clearAppBadge?.();
  } catch {
    // Not installed, or not allowed.
  }
}

async function drawn(count: number): Promise<string> {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext('2d');
  if (!context) return ICON;
  base ??= loaded();
  try {
    context.drawImage(await base, 0, 0, SIZE, SIZE);
  } catch {
    base = undefined; // offline at the first time: the number alone
  }
  const text = badgeText(count);
  context.font = `bold ${text.length > 2 ? 26 : 34}px system-ui, sans-serif`;
  const width = Math.max(40, context.measureText(text).width + 14);
  context.fillStyle = '#b3261e';
  context.beginPath();
  context.roundRect(SIZE - width, SIZE - 40, width, 40, 20);
  context.fill();
  context.fillStyle = '#ffffff';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(text, SIZE - width / 2, SIZE - 18);
  return canvas.toDataURL('image/png');
}

async function loaded(): Promise<HTMLImageElement> {
  const image = new Image(SIZE, SIZE);
  image.src = ICON;
  await image.decode();
  return image;
}
