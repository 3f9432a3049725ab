/** People, what they let others see, pins, invites, and feeds of many pages, on a real server. */

import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Server, type TestClient } from '../support/server.ts';

let server: Server;
const clients: TestClient[] = [];
let people = 0;

beforeAll(async () => {
  server = await Server.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => server?.stop());

async function person(): Promise<TestClient> {
  people += 1;
  return device(await server.signUp(`person-${people}`));
}

async function device(token: string): Promise<TestClient> {
  const client = await server.client(token);
  clients.push(client);
  await client.online();
  return client;
}

const id = (client: TestClient): string => client.me?.id ?? '';
const name = (client: TestClient): string => client.me?.name ?? '';
const until = <T>(what: () => Promise<T>): Promise<T> =>
  vi.waitFor(what, { timeout: 50_000, interval: 20 });

async function group(owner: TestClient, ...members: TestClient[]): Promise<string> {
  const { localId } = await owner.submit(
    { type: 'newGroup' },
    { type: 'createGroup', title: 'all', members: members.map(id) },
  );
  return (await owner.committed(localId)).conversation;
}

async function act(client: TestClient, conversation: string, action: object): Promise<number> {
  const { localId } = await client.submit({ type: 'conversation', conversation }, action as never);
  return (await client.committed(localId)).seq;
}

test('a device is told of every sign-in', async () => {
  const ann = await person();
  for (const newDevice of [true, false]) {
    const phone = await device(await server.signIn(name(ann), 'phone'));
    const told = await ann.until(
      (event) => event.type === 'signedIn' && event.newDevice === newDevice && event,
    );
    const { state } = phone;
    expect(told).toMatchObject({
      name: 'phone',
      device: state.type === 'ready' ? state.session.device : '',
    });
    expect(told.timeMs).toBeGreaterThan(0);
  }
});

test('profiles, contacts and blocks are the same on all own devices', async () => {
  const [ann, ben] = [await person(), await person()];
  const phone = await device(await server.signIn(name(ann), 'phone'));
  await ben.changeProfile({ displayName: 'Ben', about: 'sails', email: 'ben@example.org' });
  expect(await ann.findUser(name(ben))).toEqual({ id: id(ben), name: name(ben) });
  // The address is for contacts alone, and Ben has none.
  expect(await ann.profile(id(ben))).toMatchObject({
    displayName: 'Ben',
    about: 'sails',
    email: '',
  });
  await ben.addContact(id(ann));
  await until(async () =>
    expect(await ann.profile(id(ben))).toMatchObject({ email: 'ben@example.org' }),
  );

  await ann.addContact(id(ben));
  await phone.until((event) => event.type === 'account');
  await until(async () =>
    expect((await phone.account()).contacts.map(({ user }) => user.id)).toEqual([id(ben)]),
  );
  await phone.block(id(ben));
  await until(async () => expect((await ann.account()).blocked.length).toBe(1));
  const refused = await ben.send(name(ann), 'let me in');
  await expect(refused.sent()).rejects.toMatchObject({ codeName: 'not_accepted' });
  await phone.unblock(id(ben));
  expect((await (await ben.send(name(ann), 'thank you')).sent()).seq).toBe(1);
  await ann.message('thank you');
  await expect(ann.findUser('nobody.of.that.name')).rejects.toMatchObject({
    codeName: 'not_found',
  });
});

test('presence is told to those who may know, and typing to those in the chat', async () => {
  const [ann, ben] = [await person(), await person()];
  const { conversation } = await (await ann.send(name(ben), 'hello')).sent();
  await ben.message('hello');
  expect(await ann.subscribePresence([id(ben)])).toMatchObject([{ online: true }]);
  // Strangers don't see each other type.
  await ben.addContact(id(ann));
  await ann.addContact(id(ben));
  await ben.typing(conversation, true);
  const typing = await ann.until((event) => event.type === 'typing' && event.typing);
  expect(typing).toMatchObject({ conversation, user: { id: id(ben) }, active: true });
  await ben.setBackground(true);
  const gone = await ann.until(
    (event) => event.type === 'presence' && !event.presence.online && event.presence,
  );
  expect(gone.lastSeenMs).toBeGreaterThan(0);
  await ben.setBackground(false);
  await until(async () => expect(await ann.presence([id(ben)])).toMatchObject([{ online: true }]));
  // Whoever hides is offline and was never seen, and sees nobody.
  await ben.changeSettings({ presence: 'nobody' });
  await until(async () => {
    const [seen] = await ann.presence([id(ben)]);
    expect(seen).toMatchObject({ online: false });
    expect(seen?.lastSeenMs).toBeUndefined();
    expect(await ben.presence([id(ann)])).toMatchObject([{ online: false }]);
  });
});

test('a stranger’s first message is a request from its first word on', async () => {
  const [ann, ben] = [await person(), await person()];
  await ann.changeSettings({ messages: 'contacts' });
  const { conversation } = await (await ben.send(name(ann), 'do you know me?')).sent();
  await ann.message('do you know me?');
  // What was said of it before the message was told.
  const at = ann.events.findIndex((event) => event.type === 'entry');
  const lines = ann.events
    .slice(0, at + 1)
    .flatMap((event) => (event.type === 'conversation' ? [event.conversation] : []));
  for (const line of lines) expect(line.request).toBe(true);
  const [now] = await ann.conversations({ cached: true });
  expect(now).toMatchObject({ id: conversation, request: true });
  await ann.setPreferences(conversation, { accepted: true });
  await until(async () => expect((await ann.conversations())[0]).toMatchObject({ request: false }));
});

test('pins are listed, found as history, and taken back', async () => {
  const [ann, ben] = [await person(), await person()];
  const conversation = await group(ann, ben);
  const seqs: number[] = [];
  for (const text of ['one', 'two', 'three'])
    seqs.push(await act(ann, conversation, { type: 'text', text }));
  for (const seq of seqs) await act(ann, conversation, { type: 'pin', seq });
  await act(ann, conversation, { type: 'pin', seq: seqs[1], removed: true });
  await until(async () =>
    expect((await ben.describe(conversation)).pinned).toEqual([seqs[0], seqs[2]]),
  );
  const { entries } = await ben.history(conversation, { type: 'pinned' });
  const texts = entries.flatMap((entry) => (entry.type === 'message' ? [entry.text] : []));
  expect(texts).toEqual(['one', 'three']);
});

test('an invite shows where it leads, is counted, and ends', async () => {
  const [ann, ben, cid] = [await person(), await person(), await person()];
  const conversation = await group(ann);
  const invite = await ann.createInvite(conversation, { maxUses: 1 });
  expect(await ben.peekInvite(invite.code)).toMatchObject({
    conversation,
    info: { title: 'all' },
    members: 1,
    joined: false,
  });
  const join = async (client: TestClient, code: string) => {
    const { localId } = await client.submit({ type: 'invite', code }, { type: 'join' });
    return client.committed(localId);
  };
  expect((await join(ben, invite.code)).conversation).toBe(conversation);
  expect(await ben.peekInvite(invite.code).catch((error) => error.codeName)).toBe('invite_invalid');
  await expect(join(cid, invite.code)).rejects.toMatchObject({ codeName: 'invite_invalid' });
  const second = await ann.createInvite(conversation);
  expect((await ann.invites(conversation)).map(({ id }) => id)).toContain(second.id);
  await ann.revokeInvite(conversation, second.id);
  await expect(join(cid, second.code)).rejects.toMatchObject({ codeName: 'invite_invalid' });
  expect((await ann.describe(conversation)).members.map(({ user }) => user.id)).toEqual([
    id(ann),
    id(ben),
  ]);
});

test('who is banned is told to admins, and stays out until let in', async () => {
  const [ann, ben, cid] = [await person(), await person(), await person()];
  const conversation = await group(ann, ben, cid);
  const { code } = await ann.createInvite(conversation);
  const join = async () => {
    const { localId } = await cid.submit({ type: 'invite', code }, { type: 'join' });
    return cid.committed(localId);
  };
  const told = (client: TestClient, type: string) =>
    client.until((event) => {
      const entry = event.type === 'entry' && event.entry;
      return entry && entry.type === 'change' && entry.what.type === type && entry.what;
    });
  await expect(act(ben, conversation, { type: 'banMember', user: id(cid) })).rejects.toMatchObject({
    codeName: 'forbidden',
  });
  await act(ann, conversation, { type: 'banMember', user: id(cid) });
  const user = { id: id(cid), name: name(cid) };
  for (const client of [ben, cid])
    expect(await told(client, 'removed')).toEqual({ type: 'removed', user, ban: true });
  expect(await ann.banned(conversation)).toEqual([user]);
  expect(await ben.banned(conversation)).toEqual([]);
  await expect(join()).rejects.toMatchObject({ codeName: 'invite_invalid' });

  await act(ann, conversation, { type: 'unbanMember', user: id(cid) });
  expect(await told(ben, 'unbanned')).toEqual({ type: 'unbanned', user });
  expect(await ann.banned(conversation)).toEqual([]);
  expect((await join()).conversation).toBe(conversation);
});

test('a list of more conversations than a page holds comes whole, on a new device and later', async () => {
  // A page of the feed has 500 at most.
  const MANY = 1_050;
  const ann = await person();
  const all = new Set<string>();
  for (let at = 0; at < MANY; at += 50) {
    const made = await Promise.all(Array.from({ length: 50 }, () => group(ann)));
    for (const conversation of made) all.add(conversation);
  }
  expect(all.size).toBe(MANY);
  const phone = await device(await server.signIn(name(ann), 'phone'));
  const listed = async () => (await phone.conversations()).map((line) => line.id);
  await until(async () => expect((await listed()).length).toBe(MANY));
  expect(new Set(await listed())).toEqual(all);
  // What changes while it is connected is in the same list, once.
  all.add(await group(ann));
  await until(async () => expect((await listed()).length).toBe(MANY + 1));
  expect(new Set(await listed())).toEqual(all);
});
