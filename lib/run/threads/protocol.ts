import { types } from 'node:util';
import { PayloadError } from '../../job/errors.js';
import type { ScheduleMark } from '../../job/metadata.js';
import { FatalTaskError, RetryTaskError, SnoozeTaskError } from '../../job/task-control-errors.js';
import { errorFrom } from '../../job/payload/kinds/error.js';
import { payloadFromText, payloadToText } from '../../job/payload/payload-text.js';
import { PayloadWalk } from '../../job/payload/payload-walk.js';
import type { SubmitOptions } from '../../job/submit-options.js';

/** A class whose instance a thread creates with `new`. */
export interface ClassCode {
  /** A `file:` URL. */
  readonly file: string;
  readonly className: string;
  readonly method: string;
}

/** Where a thread finds a task's code, as plain data. Files are `file:` URLs. */
export type CpuTarget = (
  | ({ readonly kind: 'class' } & ClassCode)
  | { readonly kind: 'function'; readonly file: string; readonly export: string }
  /** A task of the thread's own Nest application. */
  | {
      readonly kind: 'module';
      readonly taskName: string;
      /** Used if the application does not provide the task; `null` for a class that needs injection. */
      readonly otherwise: ClassCode | null;
    }
) & { readonly contextIndex: number | null };

/** Plain data in a message: unchanged, or as text if a structured clone would change it. */
export type Wired = { readonly plain: unknown } | { readonly text: string };

/** A call, from the pool to a thread. */
export interface ThreadCall {
  readonly callId: number;
  /** A `CpuTarget` as JSON: a string is cheaper to send than an object. */
  readonly target: string;
  readonly args: Wired;
  readonly taskId: string;
  readonly taskName: string;
  readonly attempt: number;
  readonly submittedAt: number;
  readonly priority: number;
  readonly metadata: Wired | null;
  readonly schedule: ScheduleMark | undefined;
  readonly parentId: string | null;
}

/** A thread's answer to a call. A task's error is an answer too: a rejection means that the thread itself failed. */
export type ThreadAnswer = (Wired | { readonly error: WiredError }) & {
  /** The number of reports that the call has sent, if any. They use another channel and may arrive later. */
  readonly reports?: number;
};

export type ToThread =
  | { readonly kind: 'abort'; readonly callId: number; readonly reason: WiredError }
  /** An aborted call has ended, so its abort can be removed. */
  | { readonly kind: 'ended'; readonly callId: number }
  | { readonly kind: 'submitted'; readonly request: number; readonly taskId: string }
  | { readonly kind: 'rejected'; readonly request: number; readonly error: WiredError }
  | { readonly kind: 'close' };

export type FromThread =
  | {
      readonly kind: 'submit';
      readonly request: number;
      /** The call whose code submits. It may have ended. */
      readonly callId: number | undefined;
      readonly taskName: string;
      readonly args: Wired;
      readonly options: SubmitOptions;
    }
  | { readonly kind: 'progress'; readonly callId: number; readonly value: Wired }
  | { readonly kind: 'log'; readonly callId: number; readonly line: string }
  | { readonly kind: 'closed' };

/** The parts of an error, or a thrown value that is no error. */
export type WiredError =
  | { readonly thrown: Wired }
  | {
      readonly name: string;
      readonly message: string;
      readonly stack?: string;
      readonly code?: string;
      /** Of a `RetryTaskError` or a `SnoozeTaskError`. */
      readonly delay?: number;
      /** Of a `PayloadError`. */
      readonly path?: string;
      readonly cause?: WiredError;
    };

const MAX_CAUSE_DEPTH = 5;
/** The largest size of a thrown value that is no error. */
const MAX_THROWN_BYTES = 16_384;

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
    ...(cause !== undefined && depth < MAX_CAUSE_DEPTH && { cause: wireError(cause, depth + 1) }),
  };
}

/** A thrown value that is no error, as plain data: its type if it cannot be encoded. */
function plainOf(thrown: unknown): unknown {
  if (typeof thrown === 'symbol') return String(thrown);
  if (isPrimitive(thrown)) return thrown;
  try {
    return new PayloadWalk('result', MAX_THROWN_BYTES).result(thrown);
  } catch {
    return String(Object.prototype.toString.call(thrown));
  }
}

/** The error again. Errors that control a job, such as `RetryTaskError`, get their class back. */
export function unwireError(wired: WiredError): unknown {
  if ('thrown' in wired) return unwire(wired.thrown);
  const { name, message, stack, code, delay = 0, path = '', cause } = wired;
  const options = cause === undefined ? undefined : { cause: unwireError(cause) };
  const controlling = controlError(code, message, delay, path, options);
  if (controlling === null) {
    const props = code === undefined ? {} : { code };
    return errorFrom({ name, message, stack: stack ?? null, props, ...options });
  }
  if (stack !== undefined) controlling.stack = stack;
  return controlling;
}

function controlError(
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

/** Whether a structured clone preserves the value. It changes a Buffer, a URL and an Error, for example. */
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
