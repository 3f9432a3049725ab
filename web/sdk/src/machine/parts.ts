/**
 * The parts of the machine. Each keeps its state to itself; what takes more than
 * one of them is in the files that route: `inbound`, `outbound`, `entries`,
 * `cursors`, `refusals`, `targets`, `lifecycle` and `time`.
 */

import { nameless } from '../convert.ts';
import type { User } from '../model.ts';
import type { Saved } from '../store.ts';
import { Account } from './account.ts';
import { Calls } from './calls.ts';
import { type Backoff, Connect } from './connect.ts';
import { Conversations } from './conversations.ts';
import { Feed } from './feed.ts';
import { Liveness } from './liveness.ts';
import { Names } from './names.ts';
import { Outbox } from './outbox.ts';
import { Outputs } from './outputs.ts';
import { Presence } from './presence.ts';
import { Requests } from './requests.ts';
import { Tracking } from './tracking.ts';

/** What the machine has to know from the start. */
export interface Config {
  readonly backoff: Backoff;
  /** How long a request waits for its answer. */
  readonly requestTimeoutMs: number;
  /** Where to start in conversations of which nothing is held. */
  readonly catchUp: 'undelivered' | 'unread' | 'everything';
  readonly canSignIn: boolean;
  readonly hasToken: boolean;
  readonly clientName: string;
  readonly clientVersion: string;
  /** Whether there is a store. */
  readonly keeps: boolean;
}

/** The parts that hold what came from the server. */
export function synced(
  outputs: Outputs,
  saved?: Saved,
): Pick<Parts, 'tracking' | 'conversations' | 'names' | 'feed'> {
  return {
    tracking: new Tracking(),
    conversations: new Conversations(outputs, saved?.conversations),
    names: new Names(outputs, saved?.users),
    feed: new Feed(outputs, saved?.feedPosition ?? 0),
  };
}

export class Parts {
  readonly outputs: Outputs;
  readonly connect: Connect;
  readonly account: Account;
  readonly liveness = new Liveness();
  readonly requests = new Requests();
  readonly outbox: Outbox;
  readonly tracking: Tracking;
  readonly conversations: Conversations;
  readonly names: Names;
  readonly presence = new Presence();
  readonly calls: Calls;
  readonly feed: Feed;
  /** How far the server's clock is ahead of that of ticks, and of the device's. */
  aheadMs = 0;
  skewMs = 0;

  constructor(
    readonly config: Config,
    saved: Saved | undefined,
    readonly resets: typeof import('./reset.ts'),
  ) {
    const { backoff, hasToken, canSignIn, keeps } = config;
    const outputs = new Outputs(keeps);
    this.outputs = outputs;
    this.connect = new Connect(backoff, hasToken, canSignIn);
    this.account = new Account(outputs, saved?.account);
    this.outbox = new Outbox(outputs, backoff, saved?.lastLocalId);
    this.calls = new Calls(outputs);
    const copy = synced(outputs, saved);
    this.tracking = copy.tracking;
    this.conversations = copy.conversations;
    this.names = copy.names;
    this.feed = copy.feed;
  }

  /** The user with this id in a conversation; called by the id when the name is not known. */
  nameIn(conversation: string, user: string): User {
    const { conversations, account, names } = this;
    const own = account.me === user ? account.user : undefined;
    return conversations.get(conversation)?.named(user) ?? own ?? names.get(user) ?? nameless(user);
  }

  /** Those of these users who are known from anywhere. */
  findUsers(ids: readonly string[]): User[] {
    const { conversations, account, names } = this;
    return ids.flatMap((id) => {
      const near = (account.me === id ? account.user : undefined) ?? names.get(id);
      if (near) return near;
      const met = conversations.named(id);
      if (met) names.learn(met);
      return met ?? [];
    });
  }
}
