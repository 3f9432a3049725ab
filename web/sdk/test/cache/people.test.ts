/** What people are called, kept for the next start. */

import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { expect, test } from 'vitest';
import { type KeptPerson, openPeople, openStore, wipe, wipeRead } from '../../src/cache/index.ts';

const person = (id: string, heardMs = 1): KeptPerson => ({
  id,
  name: id,
  displayName: id.toUpperCase(),
  deleted: false,
  heardMs,
});

test('people are there for the next start, the newest word about each', async () => {
  const people = openPeople('kept');
  expect(await people.load()).toEqual([]);
  await people.put([person('ann'), person('bob')]);
  await people.put([{ ...person('bob', 2), displayName: 'Robert' }]);
  people.close();
  const again = openPeople('kept');
  expect((await again.load()).map(({ displayName }) => displayName)).toEqual(['Robert', 'ANN']);
  again.close();
});

test('those heard of last are kept, the others go', async () => {
  const people = openPeople('many', 2);
  await people.put([person('ann', 3), person('bob', 1), person('cid', 2)]);
  expect((await people.load()).map(({ id }) => id)).toEqual(['ann', 'cid']);
  people.close();
  const again = openPeople('many', 10);
  expect((await again.load()).map(({ id }) => id)).toEqual(['ann', 'cid']);
  again.close();
});

test('they go with the account, and with what was read of it', async () => {
  const people = openPeople('gone');
  await people.put([person('ann')]);
  await wipeRead('gone');
  expect(await people.load()).toEqual([]);
  await people.put([person('ann')]);
  await wipe('gone');
  // Somebody who still has it open doesn't bring it back.
  await people.put([person('ann')]);
  const again = openPeople('gone');
  expect(await again.load()).toEqual([]);
  again.close();
});

test('a database of the build before gets room for them and loses nothing', async () => {
  const old = await openDB('parley-old', 1, {
    upgrade(database) {
      database.createObjectStore('meta');
      database.createObjectStore('outbox', { keyPath: 'localId' });
      database.createObjectStore('conversations', { keyPath: 'id' });
      database.createObjectStore('users', { keyPath: 'id' });
      database.createObjectStore('entries');
      database.createObjectStore('related');
    },
  });
  await old.put('users', { id: 'ann', name: 'ann' });
  old.close();
  const people = openPeople('old');
  await people.put([person('bob')]);
  expect(await people.load()).toHaveLength(1);
  people.close();
  const store = openStore('old');
  expect((await store.load()).users).toEqual([{ id: 'ann', name: 'ann' }]);
  store.close();
});
