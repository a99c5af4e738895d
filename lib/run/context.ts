/**
 * Carries a part of the submitter's context with each job, and runs its attempts in it: a tenant, a
 * user or a trace, from your own `AsyncLocalStorage` or from `nestjs-cls`.
 *
 * @example
 * context: {
 *   capture: () => ({ tenant: tenants.getStore() }),
 *   run: ({ tenant } = {}, next) => tenants.run(tenant, next),
 * }
 */
export interface ContextOptions<T = unknown> {
  /** Called at each submission. Returns plain data of at most 16 KiB, or `undefined` for none. */
  capture(): T | undefined;
  /** Called for each attempt: calls `next` in the captured context, and returns its result. */
  run(captured: T | undefined, next: () => unknown): unknown;
}
