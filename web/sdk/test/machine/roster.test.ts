/** Who is in a conversation, moved on by the entries that change it. */

import { expect, test } from 'vitest';
import { Roster } from '../../src/machine/conversation/roster.ts';
import type { Change, Entry, Receipt, Role, What } from '../../src/model.ts';

const user = (id: string) => ({ id, name: id });
let seq = 10;

function change(sender: string, what: What): Entry {
  seq += 1;
  const entry: Change = {
    type: 'change',
    conversation: 'c',
    seq,
    sender: user(sender),
    timeMs: seq,
    own: sender === 'me',
    what,
  };
  return entry;
}

/** A group that `ann` owns, with the others in order of joining. */
function group(...others: [id: string, role: Role][]): Roster {
  const roster = new Roster({ ...Roster.unknown('c').description, lastSeq: seq });
  const members = others.map(([id]) => user(id));
  const { info, settings } = roster.description;
  roster.follow(change('ann', { type: 'created', info, settings, members }), 'me');
  for (const [id, role] of others) {
    if (role !== 'member') {
      roster.follow(change('ann', { type: 'role', user: user(id), role }), 'me');
    }
  }
  return roster;
}

const roles = (roster: Roster): string[] =>
  roster.description.members.map(({ user: { id }, role }) => `${id} ${role}`);

test('members come and go, each entry once', () => {
  const roster = group(['ben', 'member']);
  expect(roles(roster)).toEqual(['ann owner', 'ben member']);
  const added = change('ann', { type: 'added', users: [user('cat')] });
  expect(roster.follow(added, 'me')).toBe('changed');
  expect(roster.follow(added, 'me')).toBe('same');
  roster.follow(change('ann', { type: 'removed', user: user('ben'), ban: false }), 'me');
  expect(roles(roster)).toEqual(['ann owner', 'cat member']);
});

test('a ban puts out who is in and nobody else', () => {
  const roster = group(['ben', 'member'], ['me', 'member']);
  const ban = (id: string) => change('ann', { type: 'removed', user: user(id), ban: true });
  roster.follow(ban('ben'), 'me');
  roster.follow(ban('stranger'), 'me');
  roster.follow(change('ann', { type: 'unbanned', user: user('ben') }), 'me');
  expect(roles(roster)).toEqual(['ann owner', 'me member']);
  roster.follow(ban('me'), 'me');
  expect(roster.description.former).toBe(true);
});

test('an owner who leaves is followed by the admin, else the member, who is in the longest', () => {
  const roster = group(['ben', 'member'], ['cat', 'admin']);
  roster.follow(change('ann', { type: 'left' }), 'me');
  expect(roles(roster)).toEqual(['ben member', 'cat owner']);
  roster.follow(change('cat', { type: 'left' }), 'me');
  expect(roles(roster)).toEqual(['ben owner']);
});

test('handing over makes an admin of the owner', () => {
  const roster = group(['ben', 'member']);
  roster.follow(change('ann', { type: 'role', user: user('ben'), role: 'owner' }), 'me');
  expect(roles(roster)).toEqual(['ann admin', 'ben owner']);
});

test('who was out has to ask what happened meanwhile', () => {
  const roster = group(['me', 'member']);
  roster.follow(change('ann', { type: 'removed', user: user('me'), ban: false }), 'me');
  expect(roster.description.former).toBe(true);
  expect(roster.follow(change('ann', { type: 'added', users: [user('me')] }), 'me')).toBe('lost');
  expect(roster.description.former).toBe(false);
});

test('an erased history takes its pins along, and what is erased can not be followed', () => {
  const roster = group();
  const pin = (target: number): Entry =>
    ({ ...change('ann', { type: 'left' }), type: 'pin', target, removed: false }) as Entry;
  for (const target of [5, 3, 5]) roster.follow(pin(target), 'me');
  expect(roster.description.pinned).toEqual([3, 5]);
  roster.follow(change('ann', { type: 'erased', upTo: 4 }), 'me');
  expect(roster.description).toMatchObject({ pinned: [5], firstAfter: 4 });
  const erased = { ...change('ann', { type: 'left' }), type: 'erased', kind: 18 } as Entry;
  expect(roster.follow(erased, 'me')).toBe('lost');
});

test('cursors only move on', () => {
  const roster = group(['ben', 'member']);
  const receipt = (delivered: number, read: number): Receipt => {
    return { conversation: 'c', user: 'ben', delivered, read, timeMs: 7 };
  };
  expect(roster.handleReceipt(receipt(4, 2))).toBe(true);
  expect(roster.handleReceipt(receipt(3, 2))).toBe(false);
  expect(roster.handleReceipt({ ...receipt(9, 9), user: 'nobody' })).toBe(false);
  expect(roster.member('ben')).toMatchObject({ delivered: 4, read: 2, deliveredMs: 7, readMs: 7 });
});
