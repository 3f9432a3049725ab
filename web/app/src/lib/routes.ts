// The addresses of the app, both ways. One address a screen, so that back, reload and links work. `slot` is the
// account: several can be signed in in one browser.

export type SettingsPage =
  | 'profile'
  | 'appearance'
  | 'privacy'
  | 'notifications'
  | 'devices'
  | 'blocked'
  | 'account'
  | 'keyboard';

export type Route =
  | { name: 'home' }
  | { name: 'sign-in' }
  | { name: 'sign-up' }
  | { name: 'invite'; code: string }
  | { name: 'chats'; slot: number }
  /** A link to a chat or a message as people pass it on: without an account, which is the reader's. */
  | { name: 'link'; conversation: string; seq?: number }
  | { name: 'conversation'; slot: number; conversation: string; seq?: number }
  | { name: 'direct'; slot: number; user: string }
  | { name: 'info'; slot: number; conversation: string }
  | { name: 'new-group'; slot: number }
  | { name: 'people'; slot: number; user?: string }
  | { name: 'settings'; slot: number; page?: SettingsPage }
  | { name: 'unknown'; path: string };

export const SETTINGS_PAGES: readonly SettingsPage[] = [
  'profile',
  'appearance',
  'privacy',
  'notifications',
  'devices',
  'blocked',
  'account',
  'keyboard',
];

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEQ = /^[1-9][0-9]{0,14}$/;
const CODE = /^[A-Za-z0-9_-]{43}$/;
/** Accounts that one browser holds at most. */
export const SLOTS = 8;

/** The route of a path; what isn't an address of the app is `unknown`, never an error. */
export function parse(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const unknown: Route = { name: 'unknown', path };
  const [first, second] = parts;
  if (first === undefined) return { name: 'home' };
  if (parts.length === 1 && (first === 'sign-in' || first === 'sign-up')) return { name: first };
  if (first === 'i' && parts.length === 2 && second !== undefined && CODE.test(second)) {
    return { name: 'invite', code: second };
  }
  if (first === 'c') return parseLink(parts) ?? unknown;
  if (first !== 'u' || second === undefined || !/^[0-7]$/.test(second)) return unknown;
  return parseAccount(Number(second), parts.slice(2)) ?? unknown;
}

function parseLink(parts: string[]): Route | undefined {
  const there = parseAccount(0, parts);
  if (there?.name !== 'conversation') return undefined;
  const { conversation, seq } = there;
  return { name: 'link', conversation, ...(seq === undefined ? {} : { seq }) };
}

/** The address for this account of what a link of the app in a message leads to; nothing for other links. */
export function within(url: string, origin: string, slot: number): string | undefined {
  const at = URL.canParse(url) ? new URL(url) : undefined;
  if (at?.origin !== origin) return undefined;
  const route = parse(at.pathname);
  if (route.name === 'invite') return href(route);
  if (route.name !== 'link' && route.name !== 'conversation') return undefined;
  return href({ ...route, name: 'conversation', slot });
}

function parseAccount(slot: number, parts: string[]): Route | undefined {
  const [first, second, third] = parts;
  if (first === undefined) return { name: 'chats', slot };
  if (first === 'new-group' && parts.length === 1) return { name: 'new-group', slot };
  if (first === 'to') {
    const good = parts.length === 2 && second !== undefined && ID.test(second);
    return good ? { name: 'direct', slot, user: second } : undefined;
  }
  if (first === 'people') {
    if (second === undefined) return { name: 'people', slot };
    return parts.length === 2 && ID.test(second)
      ? { name: 'people', slot, user: second }
      : undefined;
  }
  if (first === 'settings') {
    if (second === undefined) return { name: 'settings', slot };
    const page = SETTINGS_PAGES.find((page) => page === second);
    return parts.length === 2 && page !== undefined ? { name: 'settings', slot, page } : undefined;
  }
  if (first !== 'c' || second === undefined || !ID.test(second) || parts.length > 3)
    return undefined;
  if (third === undefined) return { name: 'conversation', slot, conversation: second };
  if (third === 'info') return { name: 'info', slot, conversation: second };
  if (!SEQ.test(third)) return undefined;
  return { name: 'conversation', slot, conversation: second, seq: Number(third) };
}

/** The path of a route. */
export function href(route: Route): string {
  switch (route.name) {
    case 'home':
      return '/';
    case 'sign-in':
    case 'sign-up':
      return `/${route.name}`;
    case 'invite':
      return `/i/${route.code}`;
    case 'chats':
      return `/u/${route.slot}`;
    case 'link': {
      const path = `/c/${route.conversation}`;
      return route.seq === undefined ? path : `${path}/${route.seq}`;
    }
    case 'conversation': {
      const path = `/u/${route.slot}/c/${route.conversation}`;
      return route.seq === undefined ? path : `${path}/${route.seq}`;
    }
    case 'direct':
      return `/u/${route.slot}/to/${route.user}`;
    case 'info':
      return `/u/${route.slot}/c/${route.conversation}/info`;
    case 'new-group':
      return `/u/${route.slot}/new-group`;
    case 'people':
      return route.user === undefined
        ? `/u/${route.slot}/people`
        : `/u/${route.slot}/people/${route.user}`;
    case 'settings':
      return route.page === undefined
        ? `/u/${route.slot}/settings`
        : `/u/${route.slot}/settings/${route.page}`;
    case 'unknown':
      return route.path;
  }
}

/** The screen above a route: where a back button leads when there is no history to go back in. */
export function parent(route: Route): Route {
  switch (route.name) {
    case 'info':
      return { name: 'conversation', slot: route.slot, conversation: route.conversation };
    case 'people':
      return route.user === undefined
        ? { name: 'chats', slot: route.slot }
        : { name: 'people', slot: route.slot };
    case 'settings':
      return route.page === undefined
        ? { name: 'chats', slot: route.slot }
        : { name: 'settings', slot: route.slot };
    case 'conversation':
    case 'direct':
    case 'new-group':
      return { name: 'chats', slot: route.slot };
    default:
      return { name: 'home' };
  }
}
