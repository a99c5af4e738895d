import { AsyncLocalStorage } from 'node:async_hooks';
import { DurableTaskError } from '../../job/durable-errors.js';
import type { NamedKind } from '../../job/journal/journal-record.js';

/** The attempt of a step's function. A job that the function starts in the same process may inherit it. */
const inside = new AsyncLocalStorage<object>();

/**
 * Runs a step's function, in which no other durable call is possible.
 *
 * @param attempt Stands for the attempt.
 */
export function insideStep<T>(attempt: object, fn: () => T): T {
  return inside.run(attempt, fn);
}

/** @throws {DurableTaskError} inside of a step. */
export function assertOutsideStep(attempt: object, kind: NamedKind): void {
  if (inside.getStore() === attempt)
    throw new DurableTaskError(
      `ctx.${METHODS[kind]} was called inside of a step. A step is one unit: make the call before or after it.`,
    );
}

/** The error of a call by code that runs on after its attempt. */
export function calledTooLate(kind: NamedKind): DurableTaskError {
  return new DurableTaskError(
    `ctx.${METHODS[kind]} was called after its attempt had ended. Await every call before the method returns.`,
  );
}

/** The method of the context by kind, for errors. */
export const METHODS: Readonly<Record<NamedKind, string>> = {
  step: 'step()',
  sleep: 'sleep()',
  wait: 'waitFor()',
  call: 'call()',
  submit: 'submit()',
  each: 'each()',
};
