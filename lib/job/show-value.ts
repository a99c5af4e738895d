import { types } from 'node:util';

/** Longer strings are cut: an error is read in a terminal, and a value may hold a whole document. */
const MAX_SHOWN = 80;
/** The longest text of a store or of an error in a log line. */
const MAX_SHOWN_TEXT = 1_000;
/** Larger numbers are written in hexadecimal: the time for decimal digits grows with the square of the size. */
const MAX_DECIMAL_BITS = 4_096;

/** Characters that could split a log line or hide its text: control and format characters, line separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * A value as an error message shows it. It runs no code of the value, so it cannot throw, and it shows no
 * contents of objects, which may be secret.
 */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return `'${shownText(value, MAX_SHOWN)}'`;
  if (typeof value === 'bigint') return shownText(bigintText(value), MAX_SHOWN);
  if (typeof value === 'function') return `the function ${nameOf(value) ?? '(anonymous)'}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (types.isDate(value))
    return Number.isNaN(Date.prototype.getTime.call(value)) ? 'an invalid Date' : 'a Date';
  if (types.isPromise(value)) return 'a Promise';
  return 'an object';
}

/** Text from a store or an error for a log line: cut, with unprintable characters escaped. */
export function shownText(text: string, longest = MAX_SHOWN_TEXT): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.replace(UNPRINTABLE, (unit) => `\\u{${(unit.codePointAt(0) as number).toString(16)}}`);
}

/** Anything that was thrown, as text for a log line. Never throws. */
export function printed(thrown: unknown): string {
  try {
    return shownText(String(thrown));
  } catch {
    return 'something that cannot be printed';
  }
}

/** A URL without its password. */
export function masked(url: string): string {
  return url.replace(/(\/\/[^/:@]*:).*@/, '$1…@');
}

/** A `BigInt` as text, in time proportional to its size: a very large one in hexadecimal, such as `-0xff`. */
export function bigintText(value: bigint): string {
  if (BigInt.asIntN(MAX_DECIMAL_BITS, value) === value) return value.toString();
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Reads the text of {@link bigintText}; `undefined` for any other text. */
export function bigintFrom(text: string): bigint | undefined {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  if (!/^-?0x[\da-f]+$/.test(text)) return undefined;
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
}

function nameOf(fn: object): string | undefined {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
