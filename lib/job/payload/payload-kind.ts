import { types } from 'node:util';

/** How an object travels. `'instance'`: of no built-in class that is carried as itself. */
export type PayloadKind =
  | 'array'
  | 'object'
  | 'instance'
  | 'date'
  | 'map'
  | 'set'
  | 'view'
  | 'buffer'
  | 'error'
  | 'url'
  | 'regexp'
  | 'boxed';

/**
 * Tells built-in objects apart by what they are, not by `instanceof`: an object that comes from
 * another realm (a `vm` context, a test runner's sandbox) is of none of this realm's classes.
 * On a revoked `Proxy` it throws.
 */
export function kindOf(value: object): PayloadKind {
  if (Array.isArray(value)) return 'array';
  const prototype: unknown = Object.getPrototypeOf(value);
  // Any object whose prototype ends the chain counts as plain: another realm's `Object.prototype` does.
  if (prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null)
    return 'object';
  // Every other kind has an internal slot or a tag that changes this answer, so a DTO is through here.
  return tagOf(value) === 'Object' ? 'instance' : nativeKindOf(value);
}

/** Of data that has been through the codec, or was read from a store. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && kindOf(value) === 'object';
}

/** What `Object.prototype.toString` calls it: `Date`, `Map`, `Promise`, …; `Object` for most. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function nativeKindOf(value: object): PayloadKind {
  if (types.isDate(value)) return 'date';
  if (types.isMap(value)) return 'map';
  if (types.isSet(value)) return 'set';
  if (ArrayBuffer.isView(value)) return 'view';
  if (types.isArrayBuffer(value)) return 'buffer';
  if (types.isNativeError(value) || value instanceof Error || tagOf(value) === 'DOMException') return 'error';
  if (value instanceof URL) return 'url';
  if (types.isRegExp(value)) return 'regexp';
  return types.isBoxedPrimitive(value) ? 'boxed' : 'instance';
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

/** Sets an own property like an assignment, but even one called `__proto__` reaches no setter. */
export function setOwn(target: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}
