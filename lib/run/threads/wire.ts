import { types } from 'node:util';
import {
  ChildFailedError,
  DurableTaskError,
  JournalFullError,
  SignalTimeoutError,
  TaskSuspendedError,
} from '../../job/durable-errors.js';
import { PayloadError } from '../../job/errors.js';
import { errorFrom } from '../../job/payload/kinds/error.js';
import { payloadFromText, payloadToText } from '../../job/payload/payload-text.js';
import { PayloadWalk } from '../../job/payload/payload-walk.js';
import { FatalTaskError, RetryTaskError, SnoozeTaskError } from '../../job/task-control-errors.js';

/** Plain data in a message: unchanged, or as text if a structured clone would change it. */
export type Wired = { readonly plain: unknown } | { readonly text: string };

/** A value, or the error in its place. */
export type WiredAnswer = Wired | { readonly error: WiredError };

/** A thread's answer to a call. A task's error is an answer too: a rejection means that the thread itself failed. */
export type ThreadAnswer = WiredAnswer & {
  /** The number of reports that the call has sent, if any. They use another channel and may arrive later. */
  readonly reports?: number;
};

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
      /** Of a `ChildFailedError`. */
      readonly child?: ChildFailure;
      readonly cause?: WiredError;
    };

type ChildFailure = Pick<ChildFailedError, 'childId' | 'taskName' | 'status' | 'errors'>;

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
  // Errors of native addons, such as those of better-sqlite3, are no native errors.
  if (!types.isNativeError(error) && !(error instanceof Error)) return { thrown: wire(plainOf(error)) };
  const { name, message, stack, cause } = error;
  const { code, delay, path } = error as Error & { code?: unknown; delay?: unknown; path?: unknown };
  return {
    name: String(name),
    message: String(message),
    ...(typeof stack === 'string' && { stack }),
    ...((typeof code === 'string' || typeof code === 'number') && { code: String(code) }),
    ...(typeof delay === 'number' && { delay }),
    ...(typeof path === 'string' && { path }),
    ...(error instanceof ChildFailedError && { child: childOf(error) }),
    ...(cause !== undefined && depth < MAX_CAUSE_DEPTH && { cause: wireError(cause, depth + 1) }),
  };
}

function childOf({ childId, taskName, status, errors }: ChildFailedError): ChildFailure {
  return { childId, taskName, status, errors };
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
  const { name, message, stack, code, cause } = wired;
  const options = cause === undefined ? undefined : { cause: unwireError(cause) };
  const controlling = controlError(wired, options);
  if (controlling === null) {
    const props = code === undefined ? {} : { code };
    return errorFrom({ name, message, stack: stack ?? null, props, ...options });
  }
  if (stack !== undefined) controlling.stack = stack;
  return controlling;
}

function controlError(
  { code, message, delay = 0, path = '', child }: Exclude<WiredError, { readonly thrown: Wired }>,
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
    case 'FLOWRRA_DURABLE':
      return new DurableTaskError(message, options);
    case 'FLOWRRA_SIGNAL_TIMEOUT':
      return new SignalTimeoutError(message, options);
    case 'FLOWRRA_JOURNAL_FULL':
      return new JournalFullError(message, options);
    case 'FLOWRRA_SUSPENDED':
      return new TaskSuspendedError(message, options);
    case 'FLOWRRA_CHILD_FAILED':
      return child === undefined
        ? null
        : new ChildFailedError(message, child.childId, child.taskName, child.status, child.errors);
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
