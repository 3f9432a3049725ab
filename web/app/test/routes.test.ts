import { describe, expect, it } from 'vitest';
import { href, parent, parse, type Route, within } from '../src/lib/routes';

const ID = '01890abc-def0-7abc-8def-000000000a11';
const ROUTES: Route[] = [
  { name: 'home' },
  { name: 'sign-in' },
  { name: 'sign-up' },
  { name: 'invite', code: `${'a'.repeat(40)}_-9` },
  { name: 'chats', slot: 0 },
  { name: 'link', conversation: ID },
  { name: 'link', conversation: ID, seq: 9 },
  { name: 'conversation', slot: 7, conversation: ID },
  { name: 'conversation', slot: 1, conversation: ID, seq: 120 },
  { name: 'info', slot: 1, conversation: ID },
  { name: 'direct', slot: 1, user: ID },
  { name: 'new-group', slot: 2 },
  { name: 'people', slot: 0 },
  { name: 'people', slot: 0, user: ID },
  { name: 'settings', slot: 3 },
  { name: 'settings', slot: 3, page: 'devices' },
];

describe('routes', () => {
  it.each(ROUTES)('$name goes to an address and back', (route) => {
    expect(parse(href(route))).toEqual(route);
  });

  it.each([
    '/x',
    '/u',
    '/u/8',
    '/u/00',
    '/u/0/c',
    '/u/0/c/not-an-id',
    `/u/0/c/${ID.toUpperCase()}`,
    `/u/0/c/${ID}/0`,
    `/u/0/c/${ID}/-1`,
    `/u/0/c/${ID}/1e3`,
    `/u/0/c/${ID}/1/2`,
    `/u/0/c/${ID}/9999999999999999`,
    '/c',
    `/c/${ID}/info`,
    '/u/0/settings/nothing',
    '/u/0/settings/constructor',
    '/i/short',
    '/sign-in/more',
    '/%00',
  ])('%s is no address', (path) => {
    expect(parse(path)).toEqual({ name: 'unknown', path });
  });

  it.each([
    [`https://here/c/${ID}/7`, `/u/2/c/${ID}/7`],
    [`https://here/u/5/c/${ID}`, `/u/2/c/${ID}`],
    [`https://here/i/${'a'.repeat(43)}`, `/i/${'a'.repeat(43)}`],
    [`https://there/c/${ID}/7`, undefined],
    [`https://here/u/5/settings`, undefined],
    ['https://here/v1/export', undefined],
    ['mailto:a@here', undefined],
  ])('%s in a message leads to %s', (url, path) => {
    expect(within(url, 'https://here', 2)).toBe(path);
  });

  it('leads back to the start from everywhere', () => {
    for (const route of ROUTES) {
      let at: Route = route;
      for (let steps = 0; at.name !== 'home'; steps++) {
        expect(steps).toBeLessThan(4);
        at = parent(at);
      }
    }
  });
});
