import { PayloadError } from '../../errors.js';

/** The key that marks an encoded value in JSON. A user's own object with this key is written as entries. */
export const TAG = '$type';

/** A value that JSON has no type for, as JSON. */
export interface Tagged {
  [TAG]: string;
  value?: unknown;
}

/** Replaces one value inside another one: by its copy, its JSON form or its decoded form. */
export type Replace = (inner: unknown) => unknown;

/**
 * Copies the values inside an object. A checked copy also counts their bytes and records the position of each
 * value, for errors.
 */
export interface InnerCopy {
  property(name: string, value: unknown): unknown;
  /** The value of a `Set`, or the key of an entry of a `Map`. */
  entry(step: EntryStep, value: unknown): unknown;
  /** The value of an entry of a `Map`, after its key. */
  entryValue(step: EntryStep, value: unknown): unknown;
}

/** The step of a path into a `Map` or a `Set`. One object serves all entries of a container. */
export class EntryStep {
  part: 'keys' | 'values' = 'values';
  index = 0;
  /** The key of the entry, for a `Map`. */
  key: unknown = undefined;
}

/**
 * One kind of value that JSON cannot hold as it is. Its entry contains all that Flowrra knows
 * about it; `payload-kind.ts` lists the entries.
 */
export interface PayloadKind<T = unknown> {
  /** The values of `$type` that `toJson` writes. Stored jobs contain them: they never change. */
  readonly types: readonly string[];
  /**
   * Recognises the kind by an internal slot or by `typeof`, not by `instanceof`: an object from
   * another realm (a `vm` context, a test runner's sandbox) has none of this realm's classes. Classes of Node
   * itself, such as `URL`, are not in other realms, so there `instanceof` is right.
   */
  is(value: unknown): boolean;
  /** Why this value cannot be copied; `null` if it can. */
  problem?(value: T): string | null;
  /**
   * Its bytes, besides those of an object and of the values inside it. If it has more than `limit` bytes, the
   * answer may be any number over `limit`.
   */
  size(value: T, limit: number): number;
  /** A copy that shares no object with `value`. */
  copy(value: T, inner: InnerCopy): T;
  /** The lossless JSON form. Called only if JSON text cannot hold the value as it is. */
  toJson(value: T, inner: Replace): Tagged;
  /** @throws {PayloadError} if `toJson` cannot have written this. */
  fromJson(json: Tagged, inner: Replace): T;
  /** The nearest plain JSON value, for HTTP clients; it may lose information. */
  view(value: T, inner: Replace): unknown;
}

/*
 * `maxPayloadBytes` limits this measure. It is computed from the values, so it is the same on every engine:
 * - a string, or the name of a property: its length in UTF-8;
 * - a number, a boolean, `null` or `undefined`: 8; a `BigInt`: the larger of 8 and its number of bytes;
 * - an object of any class: 16, plus the bytes of binary data, plus the text of a `URL`, `URLSearchParams` or
 *   `RegExp`, plus 1 for each property and each entry of an array, `Map` or `Set`, plus the values inside it.
 */

export const SCALAR_BYTES = 8;
export const OBJECT_BYTES = 16;
export const ENTRY_BYTES = 1;

/** Up to this length, a loop over the characters is faster than a call of native code. */
const SHORT = 48;

export function utf8Bytes(text: string): number {
  const { length } = text;
  if (length > SHORT) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++) {
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text);
  }
  return length;
}

/** Sets an own property. Unlike an assignment, it calls no setter for the key `__proto__`. */
export function setOwn(target: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}

export function tagged(type: string, value: unknown): Tagged {
  return { [TAG]: type, value };
}

export function textIn(json: Tagged): string {
  return typeof json.value === 'string' ? json.value : invalid(json);
}

export function listIn(json: Tagged): unknown[] {
  return Array.isArray(json.value) ? json.value : invalid(json);
}

export function pairsIn(json: Tagged, inner: Replace): [unknown, unknown][] {
  const list = inner(listIn(json)) as unknown[];
  return list.every((pair): pair is [unknown, unknown] => Array.isArray(pair) && pair.length === 2)
    ? list
    : invalid(json);
}

/** @throws {PayloadError} always: Flowrra did not write this value. */
export function invalid(json: Tagged): never {
  throw new PayloadError(
    'payload',
    `Flowrra did not write this stored value: ${JSON.stringify(json).slice(0, 120)}`,
  );
}
