import { copyBytes, copyView } from './payload-binary.js';
import { errorFrom, errorParts } from './payload-error-parts.js';
import { kindOf } from './payload-kind.js';

/**
 * A fresh copy of data that has been through the codec. It checks nothing: whoever keeps plain data
 * gives each attempt, and each reader, a copy of its own.
 */
export function copyPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return copyArray(value);
  if (Object.getPrototypeOf(value) === Object.prototype) return copyObject(value as Record<string, unknown>);
  return copyOther(value);
}

function copyArray(value: readonly unknown[]): unknown[] {
  const copy = value.slice();
  for (let index = 0; index < copy.length; index++) {
    const child = copy[index];
    if (typeof child === 'object' && child !== null) copy[index] = copyPlain(child);
  }
  return copy;
}

/** The spread makes `__proto__` an own property, so that assigning it below reaches no setter. */
function copyObject(value: Record<string, unknown>): Record<string, unknown> {
  const copy = { ...value };
  for (const key in copy) {
    const child = copy[key];
    if (typeof child === 'object' && child !== null && Object.hasOwn(copy, key)) copy[key] = copyPlain(child);
  }
  return copy;
}

function copyOther(value: object): unknown {
  switch (kindOf(value)) {
    case 'date':
      return new Date((value as Date).getTime());
    case 'map':
      return copyMap(value as ReadonlyMap<unknown, unknown>);
    case 'set':
      return copySet(value as ReadonlySet<unknown>);
    case 'view':
      return copyView(value as ArrayBufferView);
    case 'buffer':
      return copyBytes(new Uint8Array(value as ArrayBuffer));
    case 'error':
      return errorFrom(errorParts(value, (_key, child) => copyPlain(child)));
    case 'url':
      return new URL((value as URL).href);
    case 'regexp':
      return new RegExp((value as RegExp).source, (value as RegExp).flags);
    default:
      return copyObject(value as Record<string, unknown>);
  }
}

function copyMap(value: ReadonlyMap<unknown, unknown>): Map<unknown, unknown> {
  const copy = new Map<unknown, unknown>();
  for (const [key, entry] of value) copy.set(copyPlain(key), copyPlain(entry));
  return copy;
}

function copySet(value: ReadonlySet<unknown>): Set<unknown> {
  const copy = new Set<unknown>();
  for (const entry of value) copy.add(copyPlain(entry));
  return copy;
}
