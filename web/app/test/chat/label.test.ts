/** What is said of changes of a group. */

import type { User, What } from '@parley/client';
import { beforeAll, expect, it } from 'vitest';
import { systemText } from '../../src/chat/timeline/label';
import { loadLanguage } from '../../src/i18n/translate.svelte';

const ANN: User = { id: '1', name: 'Ann' };
const BOB: User = { id: '2', name: 'Bob' };

const said = (what: What, own = false) =>
  systemText({ what, sender: ANN, own }, (user) => user.name);

beforeAll(() => loadLanguage('en'));

it('tells a ban from a removal, and says when it ends', () => {
  expect(said({ type: 'removed', user: BOB, ban: false })).toBe('Ann removed Bob');
  expect(said({ type: 'removed', user: BOB, ban: true })).toBe('Ann banned Bob');
  expect(said({ type: 'removed', user: BOB, ban: true }, true)).toBe('You banned Bob');
  expect(said({ type: 'unbanned', user: BOB })).toBe('Ann unbanned Bob');
});
