/**
 * Messages of the protocol to bytes and back, by the tables in `gen/wire.ts`.
 *
 * Fields that a table doesn't know are passed over, fields that are absent have
 * their default. 64-bit numbers are numbers: seqs and times stay far below
 * 2^53, and what is above it is written as the highest number.
 */

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

type Scalar = 'u32' | 'u64' | 'bool' | 'string' | 'bytes' | 'enum';
type Shape = 'list' | 'optional' | 'oneof';

/** One field: number, name, type, how often, and the one-of it belongs to. */
type Field = readonly [
  no: number,
  name: string,
  type: Scalar | readonly Field[],
  shape?: Shape,
  oneof?: string,
];

/** The table of a message. */
export type Schema<T> = readonly Field[] & { readonly _?: T };

/** A message of which what has its default may be left out. */
export type Init<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer U)[]
    ? readonly Init<U>[]
    : T extends { case: infer C; value: infer V }
      ? { case: C; value: Init<V> }
      : T extends object
        ? { [K in keyof T]?: Init<T[K]> | undefined }
        : T;

/** 2^64 - 1 as near as a number can say it: for ever, or the highest seq. */
export const U64_MAX = 2 ** 64;

type Bag = Record<string, unknown>;

const VARINT: readonly unknown[] = ['u32', 'u64', 'bool', 'enum'];

const DEFAULTS: Record<Scalar, () => unknown> = {
  u32: () => 0,
  u64: () => 0,
  bool: () => false,
  enum: () => 0,
  string: () => '',
  bytes: () => new Uint8Array(0),
};

/** The message in `bytes`. Throws when they don't hold one. */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array): T {
  const reader = new BinaryReader(bytes);
  return read(schema, reader, reader.len) as T;
}

function read(schema: readonly Field[], reader: BinaryReader, end: number): Bag {
  const message: Bag = {};
  for (const [, name, type, shape] of schema) {
    if (shape === 'list') message[name] = [];
    else if (!shape && typeof type === 'string') message[name] = DEFAULTS[type]();
  }
  while (reader.pos < end) {
    const [no, wireType] = reader.tag();
    const field = schema.find((it) => it[0] === no);
    if (!field || !take(message, field, reader, wireType)) reader.skip(wireType, no);
  }
  if (reader.pos > end) throw new Error('a message goes on beyond its end');
  return message;
}

/** Takes a field's value. False when it is not of the type the table says. */
function take(message: Bag, field: Field, reader: BinaryReader, wireType: WireType): boolean {
  const [, name, type, shape, oneof] = field;
  const varint = VARINT.includes(type);
  if (shape === 'list' && varint && wireType === WireType.LengthDelimited) {
    const list = message[name] as unknown[];
    const end = bounded(reader);
    while (reader.pos < end) list.push(value(type, reader));
    return true;
  }
  if (wireType !== (varint ? WireType.Varint : WireType.LengthDelimited)) return false;
  const got = value(type, reader);
  if (shape === 'list') (message[name] as unknown[]).push(got);
  else if (oneof) message[oneof] = { case: name, value: got };
  else message[name] = got;
  return true;
}

/** Where the length-delimited value ends that begins here. */
function bounded(reader: BinaryReader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new Error('a value goes on beyond the end');
  return end;
}

function value(type: Field[2], reader: BinaryReader): unknown {
  switch (type) {
    case 'u32':
      return reader.uint32();
    case 'u64':
      return Number(reader.uint64());
    case 'bool':
      return reader.bool();
    case 'enum':
      return reader.int32();
    case 'string':
      return reader.string();
    case 'bytes':
      // A copy, so that a short value doesn't keep a long buffer.
      return reader.bytes().slice();
    default:
      return read(type, reader, bounded(reader));
  }
}

/** The bytes of a message, its fields in order of their numbers. */
export function encode<T>(schema: Schema<T>, message: Init<T>): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  write(schema, message as Bag, writer);
  return writer.finish();
}

function write(schema: readonly Field[], message: Bag, writer: BinaryWriter): void {
  for (const [no, name, type, shape, oneof] of schema) {
    let given = message[name];
    if (oneof) {
      const chosen = message[oneof] as { case: string; value: unknown } | undefined;
      given = chosen?.case === name ? chosen.value : undefined;
    }
    if (given === undefined) continue;
    if (shape === 'list') {
      const list = given as unknown[];
      if (VARINT.includes(type) && list.length > 0) {
        writer.tag(no, WireType.LengthDelimited).fork();
        for (const one of list) put(type, one, writer);
        writer.join();
      } else for (const one of list) putField(no, type, one, writer);
    } else if (shape || typeof type !== 'string' || !isDefault(given)) {
      putField(no, type, given, writer);
    }
  }
}

function isDefault(given: unknown): boolean {
  return !given || (given instanceof Uint8Array && given.length === 0);
}

function putField(no: number, type: Field[2], given: unknown, writer: BinaryWriter): void {
  writer.tag(no, VARINT.includes(type) ? WireType.Varint : WireType.LengthDelimited);
  put(type, given, writer);
}

function put(type: Field[2], given: unknown, writer: BinaryWriter): void {
  switch (type) {
    case 'u32':
      writer.uint32(given as number);
      break;
    case 'u64':
      writer.uint64(u64(given as number));
      break;
    case 'bool':
      writer.bool(given as boolean);
      break;
    case 'enum':
      writer.int32(given as number);
      break;
    case 'string':
      writer.string(given as string);
      break;
    case 'bytes':
      writer.bytes(given as Uint8Array);
      break;
    default:
      writer.fork();
      write(type, given as Bag, writer);
      writer.join();
  }
}

function u64(given: number): bigint {
  return given > Number.MAX_SAFE_INTEGER ? 2n ** 64n - 1n : BigInt(Math.max(0, Math.trunc(given)));
}
