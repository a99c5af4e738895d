import { types } from 'node:util';
import { ARRAY_BUFFER, VIEW } from './kinds/binary.js';
import { ERROR } from './kinds/error.js';
import type { PayloadKind } from './kinds/kind.js';
import {
  BIGINT,
  DATE,
  MAP,
  NUMBER,
  REGEXP,
  SET,
  STRING,
  UNDEFINED,
  URL_KIND,
  URL_SEARCH_PARAMS,
} from './kinds/values.js';

/** The kinds of built-in objects. Their order matters for an object that two entries recognise. */
const OBJECT_KINDS: readonly PayloadKind[] = [
  DATE,
  MAP,
  SET,
  VIEW,
  ARRAY_BUFFER,
  ERROR,
  URL_KIND,
  URL_SEARCH_PARAMS,
  REGEXP,
];

/** Every kind of value that JSON cannot hold as it is. */
export const PAYLOAD_KINDS: readonly PayloadKind[] = [STRING, NUMBER, BIGINT, UNDEFINED, ...OBJECT_KINDS];

const KIND_OF_TYPE: ReadonlyMap<string, PayloadKind> = new Map(
  PAYLOAD_KINDS.flatMap((kind) => kind.types.map((type): [string, PayloadKind] => [type, kind])),
);

/**
 * The kind of an object:
 * - `'object'`: copied by its properties. Its prototype is `null` or ends the chain, as `Object.prototype` of
 *   any realm does;
 * - `'instance'`: of a class that is not built in; copied by `toJSON()` or by its properties;
 * - `'boxed'`: a `Number`, `String`, … object; copied as the primitive inside it.
 *
 * Throws for a revoked `Proxy`.
 */
export function kindOf(value: object): PayloadKind | 'array' | 'object' | 'instance' | 'boxed' {
  if (Array.isArray(value)) return 'array';
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null)
    return 'object';
  // Every built-in kind has its own tag, so an instance of a class needs no look at the table.
  if (tagOf(value) === 'Object') return 'instance';
  for (const kind of OBJECT_KINDS) if (kind.is(value)) return kind;
  return types.isBoxedPrimitive(value) ? 'boxed' : 'instance';
}

/** The kind whose JSON form has this `$type`; `undefined` for an unknown one. */
export function kindOfType(type: string): PayloadKind | undefined {
  return KIND_OF_TYPE.get(type);
}

/** For data from the codec or from a store. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && kindOf(value) === 'object';
}

/** The name by which `Object.prototype.toString` calls an object: `Date`, `Map`, `Promise`, …; `Object` for most. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** The primitive inside a `Number`, `String`, … object. */
export function unboxed(value: object): unknown {
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value);
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  return types.isBigIntObject(value)
    ? BigInt.prototype.valueOf.call(value)
    : Symbol.prototype.valueOf.call(value);
}
