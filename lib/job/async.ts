import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { Clock } from './clock.js';

/** A promise only if an engine has to wait. A plain value is not awaited. */
export type MaybePromise<T> = T | Promise<T>;

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** `then` for a {@link MaybePromise}: the memory engine answers at once, without the cost of a promise. */
export function whenDone<T, R>(value: MaybePromise<T>, next: (value: T) => R): R | Promise<R> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Settles as the promise does; rejects with `late()` if it has not settled within `ms` milliseconds. */
export function within<T>(
  ms: number,
  clock: Clock,
  promise: Promise<T>,
  late: () => Error = () => new Error(`no answer within ${ms} ms`),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()), { background: true });
    promise.then(resolve, reject).finally(cancel);
  });
}

/** Settles as the promise does, or resolves as soon as the signal is aborted. */
export function untilAborted(signal: AbortSignal, promise: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve();
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/**
 * Runs `fn` outside the caller's `AsyncLocalStorage` contexts. Work that outlives its caller (a loop,
 * a timer) starts through here, so that an attempt never sees its submitter's request, tenant or
 * trace. The snapshot is taken while modules load, when no context is active.
 */
export const detached: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot();

/**
 * Runs `fn` in its own async context, a copy of the current one: a context that `enterWith` sets inside does not
 * reach the next attempt.
 */
export function isolated<R>(fn: () => R): R {
  return new AsyncResource('FlowrraAttempt', ISOLATED).runInAsyncScope(fn);
}

/** No hook needs the end of the resource, so Node does not track its garbage collection. */
const ISOLATED = { requireManualDestroy: true };
