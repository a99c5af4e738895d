import { AsyncLocalStorage } from 'node:async_hooks';
import { DurableTaskError } from '../../job/durable-errors.js';
import type { NamedKind } from '../../job/journal/journal-record.js';

const inside = new AsyncLocalStorage<true>();

/** Runs a step's function, in which no other durable call is possible. */
export function insideStep<T>(fn: () => T): T {
  return inside.run(true, fn);
}

/** @throws {DurableTaskError} inside of a step. */
export function assertOutsideStep(kind: NamedKind): void {
  if (inside.getStore() === true)
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
