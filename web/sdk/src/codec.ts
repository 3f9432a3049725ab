/**
 * Messages of the protocol to bytes and back, by the tables in `gen/wire.ts`.
 *
 * Fields that a table doesn't know are passed over, fields that are absent have
 * their default. 64-bit numbers are numbers: seqs and times stay far below
 * 2^53, and what is above it is written as the highest number. Written here
 * because the runtime of protobuf-es takes as much room as all of the core;
 * the tests compare both over the golden vectors.
 */

/** u32, u64, bool, string, bytes, enum. */
type Scalar = 'u' | 'U' | 'o' | 's' | 'b' | 'e';
type Shape = 'list' | 'optional' | 'oneof' | '';

/** One field: number, name, type, how often, and the one-of it belongs to. */
type Field = readonly [
  no: number,
  name: string,
  type: Scalar | readonly Field[],
  shape: Shape,
  oneof: string,
];

/** The table of a message. */
export type Schema<T> = readonly Field[] & { readonly _?: T };

/**
 * Reads a table: fields as "name type" with commas between, before the name the
 * number where it is not the next one; without a type where it is as before. A
 * type is a letter, "m" for the next message of `inner`; after it stand "*" for a
 * list, "?" for optional, "=name" for the one-of.
 */
export function schema<T>(text: string, inner: readonly Schema<unknown>[] = []): Schema<T> {
  const messages = inner.values();
  let no = 0;
  let type = '';
  const fields = text ? text.split(',') : [];
  return fields.map((field): Field => {
    const [, number, name = '', given] = /^(\d*)(\w+) ?(.*)$/.exec(field) ?? [];
    no = Number(number) || no + 1;
    type = given || type;
    const shape = ({ '*': 'list', '?': 'optional', '=': 'oneof' } as const)[type[1] ?? ''] ?? '';
    const letter = type[0] === 'm' ? messages.next().value : (type[0] as Scalar);
    return [no, name, letter as Field[2], shape, type.slice(2)];
  });
}

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

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED32 = 5;

/** How deep messages and groups may be nested. */
const DEPTH = 100;

// A text may begin with a byte order mark, which is its own.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const toUtf8 = new TextEncoder();

const isVarint = (type: Field[2]) => typeof type === 'string' && 'uUoe'.includes(type);

/** The message in `bytes`. Throws a `RangeError` when they don't hold one. */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array): T {
  return new Reader(bytes).message(schema, bytes.length, 0) as T;
}

/** A field of a message as it came. */
export interface RawField {
  readonly no: number;
  /** Tag and value. */
  readonly raw: Uint8Array;
}

/** The top-level fields of a message, in order, known or not. The first malformed one ends it. */
export function* rawFields(bytes: Uint8Array): Generator<RawField> {
  const reader = new Reader(bytes);
  for (let from = 0; from < bytes.length; from = reader.pos) {
    let no: number;
    try {
      const tag = reader.varint(bytes.length);
      no = Math.floor(tag / 8);
      reader.skip(no, tag % 8, bytes.length, 0);
    } catch {
      return;
    }
    yield { no, raw: bytes.subarray(from, reader.pos) };
  }
}

function broken(): never {
  throw new RangeError('not a message');
}

class Reader {
  readonly #bytes: Uint8Array;
  pos = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  message(schema: readonly Field[], end: number, depth: number): Bag {
    const message: Bag = {};
    for (const [, name, type, shape] of schema) {
      if (shape === 'list') message[name] = [];
      else if (!shape && typeof type === 'string') message[name] = initial(type);
    }
    while (this.pos < end) {
      const tag = this.varint(end);
      const no = Math.floor(tag / 8);
      const field = schema.find((it) => it[0] === no);
      if (!field || !this.#take(message, field, tag % 8, end, depth)) {
        this.skip(no, tag % 8, end, depth);
      }
    }
    return message;
  }

  /** Takes a field's value. False when it is not of the type the table says. */
  #take(message: Bag, field: Field, wire: number, end: number, depth: number): boolean {
    const [, name, type, shape, oneof] = field;
    if (wire === DELIMITED && shape === 'list' && isVarint(type)) {
      const list = message[name] as unknown[];
      const to = this.#bounded(end);
      while (this.pos < to) list.push(this.#value(type, to, depth));
      return true;
    }
    if (wire !== (isVarint(type) ? VARINT : DELIMITED)) return false;
    const value = this.#value(type, end, depth);
    if (shape === 'list') (message[name] as unknown[]).push(value);
    else if (oneof) message[oneof] = { case: name, value };
    else message[name] = value;
    return true;
  }

  #value(type: Field[2], end: number, depth: number): unknown {
    if (isVarint(type)) {
      const number = this.varint(end);
      if (type === 'o') return number !== 0;
      // As everywhere: what is too big for its type loses its upper bits.
      return type === 'U' ? number : type === 'u' ? number % 2 ** 32 : number | 0;
    }
    const to = this.#bounded(end);
    if (typeof type !== 'string') {
      if (depth >= DEPTH) broken();
      return this.message(type, to, depth + 1);
    }
    const bytes = this.#bytes.subarray(this.pos, to);
    this.pos = to;
    // A copy, so that a short value doesn't keep a long buffer.
    return type === 's' ? utf8.decode(bytes) : bytes.slice();
  }

  varint(end: number): number {
    let value = 0;
    for (let at = 0; at < 10; at++) {
      if (this.pos >= end) broken();
      const byte = this.#bytes[this.pos++] as number;
      if (at === 9 && byte > 1) broken();
      value += (byte & 127) * 2 ** (7 * at);
      if (byte < 128) return value;
    }
    return broken();
  }

  /** Where the length-delimited value ends that begins here. */
  #bounded(end: number): number {
    const length = this.varint(end);
    const to = this.pos + length;
    return to <= end ? to : broken();
  }

  /** Passes over the value of a field. */
  skip(no: number, wire: number, end: number, depth: number): void {
    if (no === 0 || depth > DEPTH) broken();
    if (wire === VARINT) this.varint(end);
    else if (wire === DELIMITED) this.pos = this.#bounded(end);
    else if (wire === FIXED64 || wire === FIXED32) {
      this.pos += wire === FIXED64 ? 8 : 4;
      if (this.pos > end) broken();
    } else if (wire === GROUP) {
      for (;;) {
        const tag = this.varint(end);
        if (tag === no * 8 + GROUP_END) return;
        this.skip(Math.floor(tag / 8), tag % 8, end, depth + 1);
      }
    } else broken();
  }
}

function initial(type: Scalar): unknown {
  if (type === 'o') return false;
  if (type === 's') return '';
  return type === 'b' ? new Uint8Array(0) : 0;
}

/** The bytes of a message, its fields in order of their numbers. */
export function encode<T>(schema: Schema<T>, message: Init<T>): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.message(schema, message as Bag);
  return writer.finish();
}

class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  message(schema: readonly Field[], message: Bag): void {
    for (const [no, name, type, shape, oneof] of schema) {
      let given = message[name];
      if (oneof) {
        const chosen = message[oneof] as { case: string; value: unknown } | undefined;
        given = chosen?.case === name ? chosen.value : undefined;
      }
      if (given === undefined) continue;
      if (shape === 'list') this.#list(no, type, given as unknown[]);
      else if (shape || typeof type !== 'string' || !isDefault(given)) this.#field(no, type, given);
    }
  }

  #list(no: number, type: Field[2], list: readonly unknown[]): void {
    if (!isVarint(type)) for (const one of list) this.#field(no, type, one);
    else if (list.length > 0) {
      const packed = new Writer();
      for (const one of list) packed.#varint(one as number);
      this.#delimited(no, packed.finish());
    }
  }

  #field(no: number, type: Field[2], given: unknown): void {
    if (isVarint(type)) {
      this.#varint(no * 8 + VARINT);
      this.#varint(Number(given));
    } else if (type === 's') this.#delimited(no, toUtf8.encode(given as string));
    else if (type === 'b') this.#delimited(no, given as Uint8Array);
    else this.#delimited(no, encode(type as Schema<Bag>, given as Init<Bag>));
  }

  #delimited(no: number, bytes: Uint8Array): void {
    this.#varint(no * 8 + DELIMITED);
    this.#varint(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #varint(given: number): void {
    this.#room(10);
    const bytes = this.#bytes;
    let value = Math.max(0, Math.trunc(given)) || 0;
    if (value > Number.MAX_SAFE_INTEGER) {
      bytes.fill(255, this.#length, this.#length + 9);
      this.#length += 9;
      value = 1;
    }
    for (; value > 127; value = Math.floor(value / 128)) {
      bytes[this.#length++] = (value % 128) + 128;
    }
    bytes[this.#length++] = value;
  }

  #room(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}

function isDefault(given: unknown): boolean {
  return !given || (given instanceof Uint8Array && given.length === 0);
}
