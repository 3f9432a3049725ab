/** What the application asks for, but for sends. */

import { closed, fromName, problem } from '../error.ts';
import { uuid } from '../ids.ts';
import type { Call } from './calls.ts';
import type { Tick } from './connect.ts';
import { finishInput, isOpen, reportState } from './lifecycle.ts';
import type { Parts } from './parts.ts';

/** Takes a call; its answer comes as the output `reply`. */
export function startCall(p: Parts, tick: Tick, id: number, call: Call): void {
  let error = isOpen(p) ? undefined : closed();
  if (!error && p.calls.isFull) error = problem('full', 'full');
  if (error) {
    p.outputs.push({ type: 'reply', call: id, error });
    return;
  }
  p.calls.add(id, call, tick.nowMs + p.config.requestTimeoutMs);
  switch (call.type) {
    case 'ask': {
      const subscribe = call.kind.case === 'subscribe' && call.kind.value;
      if (!subscribe || subscribe.once) p.calls.enqueue(id);
      else if (p.presence.watch(subscribe.users.map(uuid), subscribe.drop.map(uuid))) {
        p.calls.enqueue(id);
      } else p.calls.fail(id, fromName('list_full'));
      break;
    }
    case 'fetch':
      p.calls.enqueue(id);
      break;
    case 'describe':
      startDescribe(p, id, call.conversation);
      break;
    case 'lookup': {
      const user = p.names.byName(call.name);
      if (user) p.calls.reply(id, user);
      else p.names.wantLookup(call.name);
      break;
    }
    case 'read':
      startRead(p, id, call.conversation, call.upTo);
  }
  finishInput(p, tick);
}

function startDescribe(p: Parts, call: number, conversation: string): void {
  const it = p.conversations.get(conversation);
  if (!it) {
    // Asked without becoming a line of the list: it may be nobody's.
    p.calls.enqueue(call);
  } else if (
    it.describing.isDescribed &&
    (it.describing.isCurrent(p.account.sessionNumber) || !p.connect.isReady)
  ) {
    p.calls.reply(call, it.description());
  } else {
    it.describing.again();
    p.conversations.schedule.wake(conversation);
  }
}

/** The application wants the read cursor at `upTo`. */
function startRead(p: Parts, call: number, conversation: string, upTo: number): void {
  const it = p.conversations.get(conversation);
  if (!it) p.calls.fail(call, fromName('not_found'));
  else if (upTo > it.log.last) p.calls.fail(call, fromName('cursor_ahead'));
  else if (it.read.want(upTo, call)) {
    // Reading implies holding: what this session was not given is fetched for it.
    it.acknowledged.handleTaken(upTo);
    p.conversations.touch(conversation);
  } else p.calls.reply(call);
}

/** Ends when everything is sent and acknowledged, at the latest after `patienceMs`. */
export function startDrain(p: Parts, tick: Tick, patienceMs: number): void {
  p.outbox.startDrain(tick.nowMs + patienceMs);
  // What waited for others to be acknowledged with goes now.
  for (const it of p.conversations.values()) {
    if (!it.acknowledged.isPending) continue;
    it.acknowledged.skipPause();
    p.conversations.schedule.wake(it.id);
  }
  reportState(p, tick);
  finishInput(p, tick);
}
