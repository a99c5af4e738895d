import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { Clock } from './clock.js';

/** A promise only if an engine has to wait. A value that is no promise is not awaited. */
export type MaybePromise<T> = T | Promise<T>;

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** `then` for a value that may be no promise: the memory engine answers at once and pays for no promise. */
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

/**
 * Runs `fn` outside the caller's `AsyncLocalStorage` contexts. Work that outlives its caller (a loop,
 * a timer) starts through here, so that an attempt never sees its submitter's request, tenant or
 * trace. The snapshot is taken while modules load, when no context is active.
 */
export const detached: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot();

/**
 * Runs `fn` in an async context of its own, a copy of the present one: a context that `enterWith` sets
 * inside never reaches the next attempt.
 */
export function isolated<R>(fn: () => R): R {
  return new AsyncResource('FlowrraAttempt', ISOLATED).runInAsyncScope(fn);
}

/** The resource's end is of no interest, so Node need not watch it for garbage collection. */
const ISOLATED = { requireManualDestroy: true };
