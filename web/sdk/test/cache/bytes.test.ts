/**
 * What the cache reads from and does to an entry's bytes. The rows were made with
 * the reader and writer of protobuf-es: what is stored has to stay the same.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blank, isErased, replyTo } from '../../src/cache/bytes.ts';
import { fromHex, toHex } from '../../src/ids.ts';

interface Row {
  readonly name: string;
  readonly bytes: string;
  readonly blank: string;
  readonly erased: boolean;
  readonly replyTo: number;
}

const ROWS: readonly Row[] = [
  {
    name: 'a text',
    bytes:
      '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013a070a0568656c6c6f',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: false,
    replyTo: 0,
  },
  {
    name: 'an answer',
    bytes:
      '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013a0b0a0568656c6c6f10efa204',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: false,
    replyTo: 69999,
  },
  {
    name: 'an erased text',
    bytes: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: true,
    replyTo: 0,
  },
  {
    name: 'a text that says it is not erased',
    bytes:
      '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013a060a02686910034000',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: false,
    replyTo: 3,
  },
  {
    name: 'fields that are newer',
    bytes:
      '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013a090a0568656c6c6f10059a06056e65776572a1060101010101010101ad0602020202b006ffffffffffffffffff01',
    blank:
      '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730019a06056e65776572a1060101010101010101ad0602020202b006ffffffffffffffffff014001',
    erased: false,
    replyTo: 5,
  },
  {
    name: 'a group inside',
    bytes:
      '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730019303080994033a070a0568656c6c6f',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730019303080994034001',
    erased: false,
    replyTo: 0,
  },
  {
    name: 'fields out of order',
    bytes: '40013a090a046c61746510ac020801',
    blank: '08014001',
    erased: true,
    replyTo: 300,
  },
  {
    name: 'a body of another type',
    bytes: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013804420101',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: false,
    replyTo: 0,
  },
  {
    name: 'cut off in its body',
    bytes: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013a070a0568656c',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: false,
    replyTo: 0,
  },
  {
    name: 'nothing',
    bytes: '',
    blank: '4001',
    erased: false,
    replyTo: 0,
  },
  {
    name: 'a text that is no message',
    bytes: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730013a02ffff',
    blank: '08f0a20410889b041880d095ffbc312a100707070707070707070707070707070730014001',
    erased: false,
    replyTo: 0,
  },
];

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array(0);

test.each(ROWS)('$name', (row) => {
  expect(toHex(blank(bytesOf(row.bytes)))).toBe(row.blank);
  expect(isErased(bytesOf(row.bytes))).toBe(row.erased);
  expect(replyTo(bytesOf(row.bytes))).toBe(row.replyTo);
});

test('whatever the bytes are, what is blanked is erased and stays so', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const blanked = blank(bytes);
      expect(isErased(blanked)).toBe(true);
      expect(blank(blanked)).toEqual(blanked);
      replyTo(bytes);
    }),
  );
});
