import { types } from 'node:util';
import { bigintText } from './bigint-text.js';

/** Longer strings are cut: an error is read in a terminal, and a value may hold a whole document. */
const LONGEST = 80;

/**
 * A value as an error message shows it. Runs no code of the value's own, so that it cannot fail,
 * and shows no contents of objects, which may be secret.
 */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return `'${shownText(value, LONGEST)}'`;
  if (typeof value === 'bigint') return shownText(bigintText(value), LONGEST);
  if (typeof value === 'function') return `the function ${nameOf(value) ?? '(anonymous)'}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (types.isDate(value))
    return Number.isNaN(Date.prototype.getTime.call(value)) ? 'an invalid Date' : 'a Date';
  if (types.isPromise(value)) return 'a Promise';
  return 'an object';
}

/** Control and format characters, line separators and half pairs: what could make a line of a log look like two, or like another. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const LONGEST_TEXT = 1_000;

/** Text from a store or from an error, for a log line: cut, and with control characters escaped. */
export function shownText(text: string, longest = LONGEST_TEXT): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.replace(UNSHOWN, (unit) => `\\u{${(unit.codePointAt(0) as number).toString(16)}}`);
}

/** A URL without its password. */
export function masked(url: string): string {
  return url.replace(/(\/\/[^/:@]*:).*@/, '$1…@');
}

function nameOf(fn: object): string | undefined {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** Anything that was thrown, as text for a log line. Never throws. */
export function printed(thrown: unknown): string {
  try {
    return shownText(String(thrown));
  } catch {
    return 'something that cannot be printed';
  }
}
