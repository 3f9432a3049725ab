/** What tabs of one account say to each other, and the names of what they share. */

import type { ClientApi, ErrorInfo, Event, State, User } from '../types.ts';

/** What a tab can ask of the client that another tab has. */
export type Method = Exclude<keyof ClientApi, 'state' | 'me' | 'on' | 'close' | 'drain'>;

/** All of them, so that none is forgotten. */
const METHODS: Readonly<Record<Method, true>> = {
  submit: true,
  committed: true,
  abort: true,
  retry: true,
  discard: true,
  outbox: true,
  conversations: true,
  history: true,
  describe: true,
  markRead: true,
  receipts: true,
  setPreferences: true,
  hide: true,
  hidden: true,
  banned: true,
  createInvite: true,
  revokeInvite: true,
  invites: true,
  peekInvite: true,
  findUser: true,
  users: true,
  profile: true,
  presence: true,
  subscribePresence: true,
  unsubscribePresence: true,
  typing: true,
  report: true,
  account: true,
  changeProfile: true,
  changeSettings: true,
  addContact: true,
  removeContact: true,
  block: true,
  unblock: true,
  setBackground: true,
  reconnect: true,
  forget: true,
};

export const methods = Object.keys(METHODS) as Method[];

export const isMethod = (name: string): name is Method => Object.hasOwn(METHODS, name);

/** One thing said on the channel. `term` names a leader from when it began to lead. */
export type Note =
  /** A tab is there, and asks who leads. */
  | { readonly type: 'hello'; readonly from: string; readonly foreground: boolean }
  /** This leads now; said at its beginning, and to whoever comes. */
  | {
      readonly type: 'leader';
      readonly term: string;
      readonly to?: string;
      readonly state: State;
      readonly me: User | undefined;
    }
  | {
      readonly type: 'event';
      readonly term: string;
      readonly event: Event;
      readonly me: User | undefined;
    }
  | {
      readonly type: 'call';
      readonly term: string;
      readonly from: string;
      readonly id: number;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | { readonly type: 'reply'; readonly to: string; readonly id: number; readonly value: unknown }
  | {
      readonly type: 'refusal';
      readonly to: string;
      readonly id: number;
      readonly error: ErrorInfo;
    }
  /** The leader has closed its client, and this tab is to lead. */
  | { readonly type: 'yield'; readonly to: string }
  /** The user signed out. */
  | { readonly type: 'over' };

export const channelName = (account: string): string => `parley-1-${account}`;
/** Whoever holds it has the connection. */
export const leaderLock = (account: string): string => `parley-leader-${account}`;
/** Held by each tab while it is there. */
export const tabLock = (account: string, tab: string): string => `parley-tab-${account}-${tab}`;
