import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/**
 * Runs `fn` outside every `AsyncLocalStorage` of whoever calls. Work that outlives its caller (a
 * pump, a timer) starts through here, so that an attempt never sees its submitter's request,
 * tenant or trace. The snapshot is taken while modules load, when no context is active.
 */
export const detached: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot();

/**
 * Runs `fn` in an async context of its own, a copy of the present one: what `enterWith` sets inside
 * stays inside, and never reaches the next attempt.
 */
export function isolated<R>(fn: () => R): R {
  return new AsyncResource('FlowrraAttempt', ISOLATED).runInAsyncScope(fn);
}

/** Nobody looks at the resource's end, so it need not be watched for garbage collection. */
const ISOLATED = { requireManualDestroy: true };
