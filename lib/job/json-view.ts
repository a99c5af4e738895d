import { bigintText } from './bigint-text.js';

/**
 * A result as an HTTP client can read it: what JSON has no word for becomes the nearest thing it
 * has. Lossy on purpose; `serializeResult` is the lossless form.
 */
export function jsonView(value: unknown): unknown {
  if (typeof value === 'bigint') return bigintText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonView);
  if (value instanceof Map) return [...value].map(([key, entry]) => [jsonView(key), jsonView(entry)]);
  if (value instanceof Set) return [...value].map(jsonView);
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if (ArrayBuffer.isView(value))
    return value instanceof DataView ? [] : Array.from(value as Uint8Array, jsonView);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof URL || value instanceof RegExp) return value.toString();
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => [key, jsonView(entry)]),
  );
}
