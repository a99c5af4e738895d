/** The most bits that are written in decimal digits: their time grows with the square of the size. */
const DECIMAL_BITS = 4_096;

/** A `BigInt` as text, in time that grows with its size: a very large one in hexadecimal digits, as `-0xff`. */
export function bigintText(value: bigint): string {
  if (BigInt.asIntN(DECIMAL_BITS, value) === value) return value.toString();
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** The number behind {@link bigintText}'s text; `undefined` if it is none of its making. */
export function bigintFrom(text: string): bigint | undefined {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  if (!/^-?0x[\da-f]+$/.test(text)) return undefined;
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
}
