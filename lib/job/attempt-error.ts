import type { AttemptError } from './job.js';
import { jsonView } from './payload/payload-codec.js';
import { PayloadWalk } from './payload/payload-walk.js';
import { bigintText } from './show-value.js';

const MAX_MESSAGE = 4_000;
const MAX_STACK = 8_000;
/** For a thrown object that is no `Error`: the bytes that are read, the characters and the keys that are shown. */
const MAX_BYTES = 16_384;
const MAX_CONTENT = 1_000;
const MAX_KEYS = 20;

/** The value that a task threw, as plain data of limited size. Never throws, whatever the value is. */
export function describeError(error: unknown, attempt: number, at: number): AttemptError {
  if (typeof error !== 'object' || error === null || !looksLikeError(error)) {
    const message = `The task threw ${preview(error)}, which is not an Error.`;
    const code = codeOf(error);
    return { attempt, name: 'NonError', message: cut(message, MAX_MESSAGE), code, stack: null, at };
  }
  return {
    attempt,
    name: text(error, 'name') ?? 'Error',
    message: cut(text(error, 'message') ?? '', MAX_MESSAGE),
    code: text(error, 'code'),
    stack: cutOrNull(text(error, 'stack'), MAX_STACK),
    at,
  };
}

/** The `code` of a thrown value. Unlike `instanceof`, it works if two copies of a package are loaded. */
export function codeOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null ? text(error, 'code') : null;
}

function looksLikeError(error: object): boolean {
  return text(error, 'message') !== null || text(error, 'stack') !== null;
}

/** A property as text; `null` if it is missing, has another type, or is a getter that throws. */
function text(error: object, key: 'name' | 'message' | 'code' | 'stack'): string | null {
  try {
    const value: unknown = Reflect.get(error, key);
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null;
  } catch {
    return null;
  }
}

function preview(value: unknown): string {
  if (typeof value === 'string') return `'${cut(value, 200)}'`;
  if (typeof value === 'object' && value !== null) return cut(contentOf(value), MAX_CONTENT);
  if (typeof value === 'bigint') return bigintText(value);
  return typeof value === 'function' ? 'a function' : String(value);
}

/** As JSON; for an object that the codec rejects, a list of its keys. */
function contentOf(value: object): string {
  try {
    return JSON.stringify(jsonView(new PayloadWalk('result', MAX_BYTES).result(value)));
  } catch {
    return outlineOf(value);
  }
}

function outlineOf(value: object): string {
  try {
    const keys = Object.keys(value).slice(0, MAX_KEYS);
    return keys.length === 0 ? 'an object' : `an object with ${keys.join(', ')}`;
  } catch {
    return 'an object';
  }
}

function cut(value: string, length: number): string {
  return value.length <= length ? value : `${value.slice(0, length - 1)}…`;
}

function cutOrNull(value: string | null, length: number): string | null {
  return value === null ? null : cut(value, length);
}
