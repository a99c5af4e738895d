/*
 * The measure that `maxPayloadBytes` bounds. It is counted on the values, so it is the same on every
 * engine, however that engine stores them:
 * - a string, and the name of a property: its length in UTF-8;
 * - a number, boolean, `null` or `undefined`: 8; a `BigInt`: 8, or its bytes if they are more;
 * - an object of whatever class: 16, the bytes of binary data, the text of a `URL` or `RegExp`, and
 *   for each entry of an array, `Map` or `Set` and each property 1, and what it holds.
 */

export const SCALAR_BYTES = 8;
export const OBJECT_BYTES = 16;
export const ENTRY_BYTES = 1;

/** Up to this length, looking at each character is faster than a call into native code. */
const SHORT = 48;

export function utf8Bytes(text: string): number {
  const { length } = text;
  if (length > SHORT) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text);
  }
  return length;
}

/** @param limit Beyond so many bytes any number larger than it will do. */
export function bigintBytes(value: bigint, limit: number): number {
  if (BigInt.asIntN(64, value) === value) return SCALAR_BYTES;
  const bits = Math.min(limit * 8 + 1, Number.MAX_SAFE_INTEGER);
  if (BigInt.asIntN(bits, value) !== value) return limit + 1;
  return Math.max(SCALAR_BYTES, Math.ceil(value.toString(16).length / 2));
}
