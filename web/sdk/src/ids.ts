/** Ids and other short bytes, as text and back. */

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as lower-case hex digits. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Bytes of hex digits; `undefined` when it is something else. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

/** Something in an envelope is not the protocol. */
export class Malformed extends Error {}

/** The id of 16 bytes as a UUID. */
export function uuid(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new Malformed('an id has 16 bytes');
  const hex = toHex(bytes);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

/** The 16 bytes of a UUID. */
export function uuidBytes(id: string): Uint8Array<ArrayBuffer> {
  const bytes = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)
    ? fromHex(id.replaceAll('-', ''))
    : undefined;
  if (!bytes) throw new TypeError('an id is a UUID');
  return bytes;
}
