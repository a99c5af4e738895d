import { types } from 'node:util';
import { PayloadError } from '../errors.js';
import { errorProperties, makeError } from './error-values.js';
import { defineOwn } from './own-property.js';

/** The one key of an object that stands for what JSON has no word for: `{ "$flowrra": [kind, data] }`. */
const TAG = '$flowrra';

/** NUL, and with the `u` flag only those surrogates that have no partner. */
// eslint-disable-next-line no-control-regex -- NUL is what is looked for
const UNSAFE = /[\u0000\ud800-\udfff]/u;

/** Views by the name under which they travel. */
const VIEWS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
};

/**
 * Plain data as JSON text that loses nothing. What JSON knows looks like itself, the rest is
 * tagged. It holds no NUL and no lone surrogate, not even escaped: PostgreSQL would refuse them.
 *
 * @param plain What {@link PayloadCodec} has made of a payload.
 */
export function payloadToText(plain: unknown): string {
  return JSON.stringify(toJson(plain));
}

/**
 * The plain data behind {@link payloadToText}'s text.
 *
 * @throws {PayloadError} if the text is none of its making.
 */
export function payloadFromText(text: string): unknown {
  try {
    return fromJson(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof PayloadError) throw cause;
    throw new PayloadError('payload', 'is no text that Flowrra has written', { cause });
  }
}

function tagged(kind: string, data: unknown): Record<string, unknown> {
  return { [TAG]: [kind, data] };
}

function toJson(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return isSafe(value) ? value : tagged('string', Buffer.from(value, 'utf16le').toString('base64'));
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : tagged('number', Object.is(value, -0) ? '-0' : String(value));
    case 'bigint':
      return tagged('bigint', value.toString());
    case 'undefined':
      return tagged('undefined', null);
    case 'object':
      return value === null ? null : objectToJson(value);
    default:
      return value;
  }
}

function objectToJson(value: object): unknown {
  if (Array.isArray(value)) return value.map(toJson);
  if (types.isDate(value)) return tagged('date', Number.isNaN(value.getTime()) ? null : value.toISOString());
  if (types.isMap(value))
    return tagged(
      'map',
      Array.from(value, ([key, entry]) => [toJson(key), toJson(entry)]),
    );
  if (types.isSet(value)) return tagged('set', Array.from(value, toJson));
  if (Buffer.isBuffer(value)) return tagged('buffer', value.toString('base64'));
  if (types.isArrayBuffer(value)) return tagged('arraybuffer', Buffer.from(value).toString('base64'));
  if (ArrayBuffer.isView(value))
    return tagged('view', [value.constructor.name, bytesOf(value).toString('base64')]);
  if (types.isNativeError(value)) return tagged('error', entriesToJson(errorProperties(value)));
  if (value instanceof URL) return tagged('url', toJson(value.href));
  if (types.isRegExp(value)) return tagged('regexp', [toJson(value.source), value.flags]);
  const entries = Object.entries(value);
  // A key that JSON.parse, PostgreSQL or the tag itself would take for something else.
  const odd = entries.some(([key]) => key === '__proto__' || key === TAG || !isSafe(key));
  return odd
    ? tagged('object', entriesToJson(entries))
    : Object.fromEntries(entries.map(([key, entry]) => [key, toJson(entry)]));
}

function entriesToJson(entries: readonly (readonly [string, unknown])[]): unknown[] {
  return entries.map(([key, entry]) => [toJson(key), toJson(entry)]);
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fromJson);
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0] === TAG) return untagged((value as Record<string, unknown>)[TAG]);
  const copy: Record<string, unknown> = {};
  for (const key of keys) defineOwn(copy, key, fromJson((value as Record<string, unknown>)[key]));
  return copy;
}

function untagged(content: unknown): unknown {
  const [kind, data] = content as [string, never];
  switch (kind) {
    case 'string':
      return Buffer.from(data, 'base64').toString('utf16le');
    case 'number':
      return Number(data);
    case 'bigint':
      return BigInt(data);
    case 'undefined':
      return undefined;
    case 'date':
      return new Date(data === null ? NaN : data);
    case 'map':
      return new Map(entriesFromJson(data));
    case 'set':
      return new Set((data as unknown[]).map(fromJson));
    case 'buffer':
      return Buffer.from(data, 'base64');
    case 'arraybuffer':
      return ownBytes(data);
    case 'view':
      return new (VIEWS[data[0] as keyof typeof VIEWS] as Uint8ArrayConstructor)(ownBytes(data[1]));
    case 'error':
      return makeError(entriesFromJson(data) as [string, unknown][]);
    case 'url':
      return new URL(fromJson(data) as string);
    case 'regexp':
      return new RegExp(fromJson(data[0]) as string, data[1]);
    case 'object': {
      const copy: Record<string, unknown> = {};
      for (const [key, entry] of entriesFromJson(data)) defineOwn(copy, key as string, entry);
      return copy;
    }
    default:
      throw new PayloadError(
        'payload',
        `holds '${String(kind)}', which this version does not know. Was it written by a newer one?`,
      );
  }
}

function entriesFromJson(entries: unknown): [unknown, unknown][] {
  return (entries as [unknown, unknown][]).map(([key, entry]) => [fromJson(key), fromJson(entry)]);
}

function isSafe(text: string): boolean {
  return !UNSAFE.test(text);
}

function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

function ownBytes(base64: unknown): ArrayBuffer {
  const bytes = Buffer.from(base64 as string, 'base64');
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}
