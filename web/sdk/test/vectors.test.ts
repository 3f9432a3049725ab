/** The golden vectors of the protocol, with protobuf-es as the second opinion. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toJson,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, encode, type Init, type Schema } from '../src/codec.ts';
import { FrameReader, framed } from '../src/driver/frames.ts';
import * as wire from '../src/gen/wire.ts';
import { rawEntry, readEntry } from '../src/history.ts';
import { fromHex, toHex } from '../src/ids.ts';

interface Vector {
  readonly name: string;
  readonly message: string;
  readonly canonical: boolean;
  readonly fields: JsonValue;
  readonly bytes: string;
  readonly frame?: string;
}

const root = fileURLToPath(new URL('../../../protocol/', import.meta.url));

function vectors<T = Vector>(file: string): T[] {
  return JSON.parse(readFileSync(`${root}vectors/${file}.json`, 'utf8')).vectors;
}

const image = execFileSync('buf', ['build', root, '--as-file-descriptor-set', '-o', '-']);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const tables = wire as unknown as Record<string, Schema<Record<string, unknown>>>;

function description(name: string): DescMessage {
  const found = registry.getMessage(`parley.v1.${name}`);
  if (!found) throw new Error(`no message ${name}`);
  return found;
}

function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (!bytes) throw new Error('not hex');
  return bytes;
}

/** A message of protobuf-es in the form of ours. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, it]) =>
      !key.startsWith('$') &&
      it !== undefined &&
      // An empty one-of is absent in ours.
      !(typeof it === 'object' && it !== null && 'case' in it && it.case === undefined),
  );
  return Object.fromEntries(kept.map(([key, it]) => [key, plain(it)]));
}

for (const file of ['client', 'server', 'entries']) {
  test.each(vectors(file))(`${file}: $name`, (vector) => {
    const bytes = hex(vector.bytes);
    const table = tables[vector.message] as Schema<Record<string, unknown>>;
    const desc = description(vector.message);
    const read = decode(table, bytes);
    expect(plain(read)).toEqual(plain(fromBinary(desc, bytes)));
    const written = encode(table, read as Init<Record<string, unknown>>);
    // Read by the other implementation, it says what the vector says.
    expect(toJson(desc, fromBinary(desc, written))).toEqual(
      toJson(desc, fromJson(desc, vector.fields, { ignoreUnknownFields: true })),
    );
    if (vector.canonical) expect(toHex(written)).toBe(vector.bytes);
    if (vector.frame) expect(toHex(framed(bytes))).toBe(vector.frame);
  });
}

test.each(vectors<{ name: string; bytes: string }>('refused'))('refused: $name', ({ bytes }) => {
  // A client may be more lenient than a server, but never fails in another way.
  try {
    decode(wire.ClientEnvelope, hex(bytes));
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
  }
});

test('cut, over-long and impossible messages are refused', () => {
  const refused = ['cut_in_a_message', 'cut_in_a_number', 'number_too_long', 'field_zero'];
  for (const { name, bytes } of vectors<{ name: string; bytes: string }>('refused')) {
    if (!refused.includes(name)) continue;
    expect(() => decode(wire.ClientEnvelope, hex(bytes)), name).toThrow(RangeError);
  }
});

interface Stream {
  readonly name: string;
  readonly max_bytes: number;
  readonly stream: string;
  readonly frames: string[];
  readonly rest: number;
  readonly error: string | null;
}

for (const [how, step] of [
  ['in one piece', Number.POSITIVE_INFINITY],
  ['byte by byte', 1],
] as const) {
  test.each(vectors<Stream>('frames'))(`frames, ${how}: $name`, (vector) => {
    const reader = new FrameReader(vector.max_bytes);
    const bytes = hex(vector.stream);
    const frames: string[] = [];
    let error: string | null = null;
    try {
      for (let at = 0; at < bytes.length; at += step) {
        for (const frame of reader.push(bytes.slice(at, at + step))) frames.push(toHex(frame));
      }
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    expect(frames).toEqual(vector.frames);
    expect(error).toBe(vector.error);
    if (!error) expect(reader.rest).toBe(vector.rest);
  });
}

test('what is no message is refused, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decode(wire.ServerEnvelope, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
    { numRuns: 5_000 },
  );
});

test('an entry of any kind and body can be read', () => {
  const reader = {
    conversation: 'c',
    me: undefined,
    name: (id: string) => ({ id, name: id }),
    expiresMs: () => undefined,
  };
  const anything = fc.record({
    seq: fc.integer({ min: 1, max: 2 ** 31 }),
    kind: fc.integer({ min: 0, max: 40 }),
    body: fc.uint8Array({ maxLength: 60 }),
    sender: fc.uint8Array({ maxLength: 20 }),
    erased: fc.boolean(),
  });
  fc.assert(
    fc.property(anything, (entry) => {
      const raw = rawEntry(encode(wire.Entry, entry));
      expect(raw?.seq).toBe(entry.seq);
      if (raw) expect(readEntry(reader, raw).seq).toBe(entry.seq);
    }),
    { numRuns: 5_000 },
  );
});

test('texts keep every character, the byte order mark included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
      const given = `\u{feff}${text}`;
      const { text: back } = decode(wire.Text, encode(wire.Text, { text: given }));
      expect(back).toBe(given);
    }),
  );
});
