/**
 * The few things the cache has to know of an entry's bytes. It keeps them as
 * they came, so that what this build doesn't know survives.
 */

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Fields of `Entry` and `Text` in protocol/proto/parley/v1. */
const ENTRY_BODY = 7;
const ENTRY_ERASED = 8;
const TEXT_REPLY_TO = 2;

/** The entry without its body, marked as erased: all else as it was. */
export function blank(bytes: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  for (const { field, raw } of fields(bytes)) {
    if (field !== ENTRY_BODY && field !== ENTRY_ERASED) writer.raw(raw);
  }
  return writer.tag(ENTRY_ERASED, WireType.Varint).bool(true).finish();
}

/** Whether the entry's content is gone. */
export function isErased(bytes: Uint8Array): boolean {
  for (const { field, wire, read } of fields(bytes)) {
    if (field === ENTRY_ERASED && wire === WireType.Varint) return read().bool();
  }
  return false;
}

/** Seq of the message that a text answers; 0 for none. */
export function replyTo(bytes: Uint8Array): number {
  for (const { field, wire, read } of fields(bytes)) {
    if (field !== ENTRY_BODY || wire !== WireType.LengthDelimited) continue;
    for (const inner of fields(read().bytes())) {
      if (inner.field === TEXT_REPLY_TO && inner.wire === WireType.Varint) {
        return Number(inner.read().uint64());
      }
    }
  }
  return 0;
}

interface Field {
  readonly field: number;
  readonly wire: WireType;
  /** Tag and value as they are. */
  readonly raw: Uint8Array;
  /** A reader that stands at the value. */
  readonly read: () => BinaryReader;
}

/** The top-level fields of a message. What is malformed ends it: nothing of it can be read. */
function* fields(bytes: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const from = reader.pos;
    let field: number;
    let wire: WireType;
    let value: number;
    try {
      [field, wire] = reader.tag();
      value = reader.pos;
      reader.skip(wire, field);
    } catch {
      return;
    }
    const to = reader.pos;
    const read = (): BinaryReader => new BinaryReader(bytes.subarray(value, to));
    yield { field, wire, raw: bytes.subarray(from, to), read };
  }
}
