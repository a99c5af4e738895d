import { types } from 'node:util';
import { PayloadError } from '../../job/errors.js';
import { FatalTaskError, RetryTaskError, SnoozeTaskError } from '../../job/task-control-errors.js';
import { errorFrom } from '../../job/payload/kinds/error.js';
import { payloadFromText, payloadToText } from '../../job/payload/payload-text.js';
import { PayloadWalk } from '../../job/payload/payload-walk.js';
import type { SubmitOptions } from '../../job/task-options.js';

/** Plain data on its way between threads: as it is, or as text where a structured clone would change it. */
export type Wired = { readonly plain: unknown } | { readonly text: string };

/** What the pool hands to a thread. */
export interface ThreadCall {
  readonly callId: number;
  /** A `CpuTarget` as JSON. */
  readonly target: string;
  readonly args: Wired;
  readonly taskId: string;
  readonly taskName: string;
  readonly attempt: number;
  readonly submittedAt: number;
  readonly priority: number;
  readonly metadata: Wired | null;
}

/** What a thread answers. Errors are answers, too: a rejection would mean that the thread itself failed. */
export type ThreadAnswer = (Wired | { readonly error: WiredError }) & {
  /** How many reports the call has sent, if any: they come another way, and may be late. */
  readonly reports?: number;
};

export type ToThread =
  | { readonly kind: 'abort'; readonly callId: number; readonly reason: WiredError }
  /** The aborted call is over: it may be forgotten. */
  | { readonly kind: 'ended'; readonly callId: number }
  | { readonly kind: 'submitted'; readonly request: number; readonly taskId: string }
  | { readonly kind: 'refused'; readonly request: number; readonly error: WiredError }
  | { readonly kind: 'close' };

export type FromThread =
  | {
      readonly kind: 'submit';
      readonly request: number;
      /** The call whose code submits; it may be over. */
      readonly callId: number | undefined;
      readonly taskName: string;
      readonly args: Wired;
      readonly options: SubmitOptions;
    }
  /** The call says something of itself. */
  | { readonly kind: 'progress'; readonly callId: number; readonly value: Wired }
  | { readonly kind: 'log'; readonly callId: number; readonly line: string }
  | { readonly kind: 'closed' };

/** An error's parts, or a thrown value that is none. */
export type WiredError =
  | { readonly thrown: Wired }
  | {
      readonly name: string;
      readonly message: string;
      readonly stack?: string;
      readonly code?: string;
      /** Of the errors that pick a delay. */
      readonly delay?: number;
      /** Of a payload error. */
      readonly path?: string;
      readonly cause?: WiredError;
    };

const DEEPEST_CAUSE = 5;
/** The most of what is thrown and is no error. */
const MOST_BYTES = 16_384;

export function wire(plain: unknown): Wired {
  return clonesExactly(plain) ? { plain } : { text: payloadToText(plain) };
}

export function unwire(wired: Wired): unknown {
  return 'text' in wired ? payloadFromText(wired.text) : wired.plain;
}

export function wireError(error: unknown, depth = 0): WiredError {
  if (!types.isNativeError(error)) return { thrown: wire(plainOf(error)) };
  const { name, message, stack, cause } = error;
  const { code, delay, path } = error as Error & { code?: unknown; delay?: unknown; path?: unknown };
  return {
    name: String(name),
    message: String(message),
    ...(typeof stack === 'string' && { stack }),
    ...((typeof code === 'string' || typeof code === 'number') && { code: String(code) }),
    ...(typeof delay === 'number' && { delay }),
    ...(typeof path === 'string' && { path }),
    ...(cause !== undefined && depth < DEEPEST_CAUSE && { cause: wireError(cause, depth + 1) }),
  };
}

/** What was thrown and is no error; of what cannot travel, what it calls itself. */
function plainOf(thrown: unknown): unknown {
  if (typeof thrown === 'symbol') return String(thrown);
  if (isPrimitive(thrown)) return thrown;
  try {
    return new PayloadWalk('result', MOST_BYTES).result(thrown);
  } catch {
    return String(Object.prototype.toString.call(thrown));
  }
}

/** The error again; those by which a task steers its job as the classes that the executor knows. */
export function unwireError(wired: WiredError): unknown {
  if ('thrown' in wired) return unwire(wired.thrown);
  const { name, message, stack, code, delay = 0, path = '', cause } = wired;
  const options = cause === undefined ? undefined : { cause: unwireError(cause) };
  const steered = steering(code, message, delay, path, options);
  if (steered === null) {
    const props = code === undefined ? {} : { code };
    return errorFrom({ name, message, stack: stack ?? null, props, ...options });
  }
  if (stack !== undefined) steered.stack = stack;
  return steered;
}

function steering(
  code: string | undefined,
  message: string,
  delay: number,
  path: string,
  options?: ErrorOptions,
): Error | null {
  switch (code) {
    case 'FLOWRRA_FATAL':
      return new FatalTaskError(message, options);
    case 'FLOWRRA_RETRY':
      return new RetryTaskError(delay, message, options);
    case 'FLOWRRA_SNOOZE':
      return new SnoozeTaskError(delay, message, options);
    case 'FLOWRRA_PAYLOAD':
      return new PayloadError(path, message.slice(path.length + 2), options);
    default:
      return null;
  }
}

/** Whether a structured clone gives the same value back: a Buffer, a URL or an Error would not be. */
function clonesExactly(value: unknown): boolean {
  if (isPrimitive(value)) return true;
  if (Array.isArray(value)) return value.every(clonesExactly);
  if (types.isDate(value) || types.isRegExp(value) || types.isArrayBuffer(value)) return true;
  if (ArrayBuffer.isView(value)) return !Buffer.isBuffer(value);
  if (types.isMap(value))
    return [...value].every(([key, entry]) => clonesExactly(key) && clonesExactly(entry));
  if (types.isSet(value)) return [...value].every(clonesExactly);
  return (
    Object.getPrototypeOf(value) === Object.prototype && Object.values(value as object).every(clonesExactly)
  );
}

function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function');
}
