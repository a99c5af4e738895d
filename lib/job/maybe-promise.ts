import type { MaybePromise } from '../engine/engine.js';

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** `then` for what may be no promise: the memory engine answers at once and should pay for no promise. */
export function whenDone<T, R>(value: MaybePromise<T>, next: (value: T) => R): R | Promise<R> {
  return isPromise(value) ? value.then(next) : next(value);
}
