import { types } from 'node:util';
import { copyError } from './error-values.js';
import { defineOwn } from './own-property.js';

/**
 * A fresh copy of plain data that has been checked before: for each attempt, and each reader.
 * Primitives cost nothing.
 */
export function copyPlain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? copyObject(value) : value;
}

function copyObject(value: object): unknown {
  if (Array.isArray(value)) return value.map(copyPlain);
  if (Object.getPrototypeOf(value) === Object.prototype) return copyProperties(value);
  if (types.isDate(value)) return new Date(value.getTime());
  if (types.isMap(value))
    return new Map(Array.from(value, ([key, entry]) => [copyPlain(key), copyPlain(entry)]));
  if (types.isSet(value)) return new Set(Array.from(value, copyPlain));
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (types.isNativeError(value)) return copyError(value, copyPlain);
  if (value instanceof URL) return new URL(value.href);
  if (types.isRegExp(value)) return new RegExp(value.source, value.flags);
  if (ArrayBuffer.isView(value) || types.isArrayBuffer(value)) return copyBinary(value);
  return copyProperties(value);
}

function copyProperties(value: object): object {
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value))
    defineOwn(copy, key, copyPlain((value as Record<string, unknown>)[key]));
  return copy;
}

/** The bytes of a view alone, in a buffer of its own: what lies around them is not the task's business. */
export function copyBinary(value: ArrayBufferView | ArrayBuffer): unknown {
  if (types.isArrayBuffer(value)) return value.slice(0);
  const bytes = value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  const View = value.constructor as new (buffer: ArrayBufferLike) => unknown;
  return new View(bytes);
}
