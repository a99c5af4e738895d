import type { AttemptError } from './job.js';
import { bigintText } from './bigint-text.js';
import { jsonView } from './json-view.js';
import { PayloadWalk } from './payload/payload-walk.js';

const LONGEST_MESSAGE = 4_000;
const LONGEST_STACK = 8_000;
/** Of what is thrown and is no `Error`: how much is read, how much shown, and how many keys. */
const MOST_BYTES = 16_384;
const LONGEST_CONTENT = 1_000;
const MOST_KEYS = 20;

/** What a task threw, as bounded plain data. Whatever it is, describing it never throws. */
export function describeError(error: unknown, attempt: number, at: number): AttemptError {
  if (typeof error !== 'object' || error === null || !looksLikeError(error)) {
    const message = `The task threw ${preview(error)}, which is no Error.`;
    const code = codeOf(error);
    return { attempt, name: 'NonError', message: cut(message, LONGEST_MESSAGE), code, stack: null, at };
  }
  return {
    attempt,
    name: text(error, 'name') ?? 'Error',
    message: cut(text(error, 'message') ?? '', LONGEST_MESSAGE),
    code: text(error, 'code'),
    stack: cutOrNull(text(error, 'stack'), LONGEST_STACK),
    at,
  };
}

/** The `code` of whatever was thrown: how errors are told apart when two copies of a package are loaded. */
export function codeOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null ? text(error, 'code') : null;
}

function looksLikeError(error: object): boolean {
  return text(error, 'message') !== null || text(error, 'stack') !== null;
}

/** A property as text, or `null`: it may be missing, of another type, or a getter that throws. */
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
  if (typeof value === 'object' && value !== null) return cut(contentOf(value), LONGEST_CONTENT);
  if (typeof value === 'bigint') return bigintText(value);
  return typeof value === 'function' ? 'a function' : String(value);
}

/** As JSON; of what cannot travel with a job, or is too large for it, the class and the keys. */
function contentOf(value: object): string {
  try {
    return JSON.stringify(jsonView(new PayloadWalk('result', MOST_BYTES).result(value)));
  } catch {
    return outlineOf(value);
  }
}

function outlineOf(value: object): string {
  try {
    const keys = Object.keys(value).slice(0, MOST_KEYS);
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
