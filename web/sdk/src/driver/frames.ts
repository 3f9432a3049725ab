/**
 * Envelopes on a stream: a length, an unsigned base-128 varint in its shortest
 * form of at most five bytes and never zero, and that many bytes.
 */

import { FRAME_BYTES } from './transport.ts';

const PREFIX_BYTES = 5;

/** One envelope behind its length. */
export function framed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix: number[] = [];
  let length = bytes.length;
  for (; length > 127; length >>>= 7) prefix.push((length & 127) | 128);
  prefix.push(length);
  const frame = new Uint8Array(prefix.length + bytes.length);
  frame.set(prefix);
  frame.set(bytes, prefix.length);
  return frame;
}

/** Why a stream can't be read on. */
export type FrameProblem = 'bad_frame' | 'frame_too_large';

/** Cuts a stream into envelopes. Holds at most one frame. */
export class FrameReader {
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(private readonly maxBytes = FRAME_BYTES) {}

  /** Bytes that wait for the rest of their frame. */
  get rest(): number {
    return this.#heldBytes;
  }

  /** The envelopes that are whole now; throws a `RangeError` with a {@link FrameProblem}. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    for (;;) {
      const prefix = this.#prefix();
      if (!prefix || this.#heldBytes < prefix.bytes + prefix.length) return;
      const all = this.#joined();
      const end = prefix.bytes + prefix.length;
      const rest = all.subarray(end);
      this.#held = rest.length > 0 ? [rest] : [];
      this.#heldBytes = rest.length;
      yield all.subarray(prefix.bytes, end);
    }
  }

  /** The length that comes first, checked before anything is kept for it. */
  #prefix(): { length: number; bytes: number } | undefined {
    const first = this.#held[0];
    const bytes = first && first.length >= PREFIX_BYTES ? first : this.#joined();
    let length = 0;
    for (let at = 0; at < PREFIX_BYTES; at++) {
      const byte = bytes[at];
      if (byte === undefined) return undefined;
      length += (byte & 127) * 2 ** (7 * at);
      if (byte > 127) continue;
      if (length === 0 || (byte === 0 && at > 0)) fail('bad_frame');
      if (length > this.maxBytes) fail('frame_too_large');
      return { length, bytes: at + 1 };
    }
    return fail('bad_frame');
  }

  #joined(): Uint8Array {
    if (this.#held.length === 1) return this.#held[0] as Uint8Array;
    const all = new Uint8Array(this.#heldBytes);
    let at = 0;
    for (const chunk of this.#held) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#held = [all];
    return all;
  }
}

function fail(name: FrameProblem): never {
  throw new RangeError(name);
}
