import { bigintText } from '../bigint-text.js';
import { PayloadError } from '../errors.js';
import { bytesOf, viewNameOf } from './payload-binary.js';
import { errorParts } from './payload-error-parts.js';
import { kindOf } from './payload-kind.js';
import { TAG, type Tagged, escapeText, isSafeText } from './payload-tags.js';

export { payloadFromJson, payloadFromText } from './payload-from-text.js';

const LONGEST_ESCAPED = 1_024;

/**
 * Plain data as JSON text that loses nothing. What JSON has a word for looks like itself, all else is
 * an object with a `$type`: `{"$type":"Date","value":"2030-01-01T00:00:00.000Z"}`. The text holds no
 * NUL and no lone surrogate, raw or escaped, so every database takes it, PostgreSQL's `jsonb` included.
 *
 * @throws {PayloadError} if `plain` has not been through the codec and holds what cannot travel.
 */
export function payloadToText(plain: unknown): string {
  return JSON.stringify(payloadToJson(plain));
}

/** The same before it becomes text, for storage that makes text itself. May share objects with `plain`. */
export function payloadToJson(plain: unknown): unknown {
  return isJson(plain) ? plain : jsonOf(plain);
}

/** Whether `JSON.stringify` alone would lose nothing: most payloads, which are then not copied. */
function isJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return isSafeText(value);
    case 'number':
      return isJsonNumber(value);
    case 'boolean':
      return true;
    case 'object':
      if (value === null) return true;
      return Array.isArray(value) ? isJsonArray(value) : isJsonObject(value);
    default:
      return false;
  }
}

function isJsonObject(value: object): boolean {
  if (kindOf(value) !== 'object') return false;
  for (const key of Object.keys(value)) {
    if (!isPlainKey(key) || !isJson((value as Record<string, unknown>)[key])) return false;
  }
  return true;
}

/** Unlike `every`, it does not pass over holes. */
function isJsonArray(value: readonly unknown[]): boolean {
  for (let index = 0; index < value.length; index++) {
    if (!isJson(value[index])) return false;
  }
  return true;
}

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function isPlainKey(key: string): boolean {
  return key !== TAG && isSafeText(key);
}

function jsonOf(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return isSafeText(value) ? value : unsafeText(value);
    case 'number':
      return isJsonNumber(value) ? value : tagged('number', Object.is(value, -0) ? '-0' : String(value));
    case 'bigint':
      return tagged('bigint', bigintText(value));
    case 'undefined':
      return { [TAG]: 'undefined' };
    case 'boolean':
      return value;
    case 'object':
      return value === null ? null : jsonOfObject(value);
    default:
      throw new PayloadError(
        'payload',
        `a ${typeof value} has no form as text; only what the codec has copied has one`,
      );
  }
}

/** A long one in base64: to escape each character of one that is full of NUL takes seconds, and six times its size. */
function unsafeText(text: string): Tagged {
  return text.length <= LONGEST_ESCAPED
    ? tagged('string', escapeText(text))
    : tagged('utf16', Buffer.from(text, 'utf16le').toString('base64'));
}

function jsonOfObject(value: object): unknown {
  const kind = kindOf(value);
  switch (kind) {
    case 'array':
      return Array.from(value as unknown[], jsonOf);
    case 'object':
      return jsonOfProperties(value as Record<string, unknown>);
    case 'date': {
      const time = (value as Date).getTime();
      return tagged('Date', Number.isNaN(time) ? null : new Date(time).toISOString());
    }
    case 'map':
      return tagged(
        'Map',
        Array.from(value as Map<unknown, unknown>, ([key, entry]) => [jsonOf(key), jsonOf(entry)]),
      );
    case 'set':
      return tagged('Set', Array.from(value as Set<unknown>, jsonOf));
    case 'view':
      return tagged(viewNameOf(value as ArrayBufferView), base64(bytesOf(value as ArrayBufferView)));
    case 'buffer':
      return tagged('ArrayBuffer', base64(new Uint8Array(value as ArrayBuffer)));
    case 'error':
      return tagged('Error', jsonOf(errorParts(value, (_key, child) => child)));
    case 'url':
      return tagged('URL', (value as URL).href);
    case 'regexp':
      return tagged('RegExp', [jsonOf((value as RegExp).source), (value as RegExp).flags]);
    default:
      throw new PayloadError(
        'payload',
        `an object of kind '${kind}' has no form as text; only what the codec has copied has one`,
      );
  }
}

/** An object with a key that JSON text cannot show as itself is written as its entries. */
function jsonOfProperties(value: Record<string, unknown>): unknown {
  const entries = Object.entries(value);
  if (!entries.every(([key]) => isPlainKey(key))) {
    return tagged(
      'Object',
      entries.map(([key, child]) => [jsonOf(key), jsonOf(child)]),
    );
  }
  // Defines its properties, so a key `__proto__` is one like any other.
  return Object.fromEntries(entries.map(([key, child]) => [key, jsonOf(child)]));
}

function tagged(type: string, value: unknown): Tagged {
  return { [TAG]: type, value };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
