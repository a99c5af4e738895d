import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Runs `fn` outside every `AsyncLocalStorage` of whoever calls. Work that outlives its caller (a
 * pump, a timer) starts through here, so that an attempt never sees its submitter's request,
 * tenant or trace. The snapshot is taken while modules load, when no context is active.
 */
export const detached: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot();
