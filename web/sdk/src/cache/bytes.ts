/**
 * The few things the cache has to know of an entry's bytes. It keeps them as
 * they came, so that what this build doesn't know survives.
 */

import { decode, rawFields, schema } from '../codec.ts';

/** Fields of `Entry` and `Text` in protocol/proto/parley/v1. */
const ENTRY_BODY = 7;
const ENTRY_ERASED = 8;
const Entry = /* @__PURE__ */ schema<{ body: Uint8Array; erased: boolean }>('7body b,erased o');
const Text = /* @__PURE__ */ schema<{ replyTo: number }>('2replyTo U');

/** `erased: true`, as it is written. */
const ERASED = Uint8Array.of(ENTRY_ERASED * 8, 1);

/** The entry without its body, marked as erased: all else as it was. */
export function blank(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const kept = [...rawFields(bytes)]
    .filter(({ no }) => no !== ENTRY_BODY && no !== ENTRY_ERASED)
    .map(({ raw }) => raw);
  kept.push(ERASED);
  const blanked = new Uint8Array(kept.reduce((sum, raw) => sum + raw.length, 0));
  let at = 0;
  for (const raw of kept) {
    blanked.set(raw, at);
    at += raw.length;
  }
  return blanked;
}

/** Whether the entry's content is gone. */
export function isErased(bytes: Uint8Array): boolean {
  for (const { no, raw } of rawFields(bytes)) {
    if (no === ENTRY_ERASED && decode(Entry, raw).erased) return true;
  }
  return false;
}

/** Seq of the message that a text answers; 0 for none. */
export function replyTo(bytes: Uint8Array): number {
  for (const { no, raw } of rawFields(bytes)) {
    if (no !== ENTRY_BODY) continue;
    try {
      const seq = decode(Text, decode(Entry, raw).body).replyTo;
      if (seq > 0) return seq;
    } catch {
      // The body is no text: it answers nothing.
    }
  }
  return 0;
}
