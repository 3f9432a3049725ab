// The router: the present route as reactive state, over the browser's history.

import { href, parent, parse, type Route } from './routes';

let route = $state.raw<Route>(parse(globalThis.location?.pathname ?? '/'));

/** The route that is shown. */
export function current(): Route {
  return route;
}

interface Step {
  /** How many steps inside the app lie behind this one. */
  depth: number;
}

function depth(): number {
  return (history.state as Step | null)?.depth ?? 0;
}

/** Shows another screen; with `replace`, going back passes over the present one. */
export function go(to: Route, how: { replace?: boolean } = {}): void {
  const path = href(to);
  if (path === location.pathname) {
    route = to;
    return;
  }
  if (how.replace === true) history.replaceState({ depth: depth() } satisfies Step, '', path);
  else history.pushState({ depth: depth() + 1 } satisfies Step, '', path);
  route = to;
}

/** Back by one screen; to the one above when this one was opened from outside. */
export function back(): void {
  if (depth() > 0) history.back();
  else go(parent(route), { replace: true });
}

/** Starts listening to the browser's buttons and to clicks on links of the app; returns how to stop. */
export function listen(): () => void {
  const popped = () => {
    route = parse(location.pathname);
  };
  const clicked = (event: MouseEvent) => {
    const link = (event.target as Element | null)?.closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || !ours(event, link)) return;
    event.preventDefault();
    go(parse(link.pathname));
  };
  addEventListener('popstate', popped);
  document.addEventListener('click', clicked);
  return () => {
    removeEventListener('popstate', popped);
    document.removeEventListener('click', clicked);
  };
}

function ours(event: MouseEvent, link: HTMLAnchorElement): boolean {
  if (event.defaultPrevented || event.button !== 0) return false;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return false;
  if (link.target !== '' || link.hasAttribute('download')) return false;
  return link.origin === location.origin && !link.pathname.startsWith('/v1/');
}
