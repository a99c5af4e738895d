/**
 * What of the submitter's surroundings travels with each job, and how an attempt runs in it: a
 * tenant, a user, a trace, from an `AsyncLocalStorage` of yours or of `nestjs-cls`.
 */
export interface ContextOptions<T = unknown> {
  /** Called where a job is submitted. Plain data of at most 16 KiB, or `undefined` for nothing. */
  capture(): T | undefined;
  /** Called for each attempt: runs `next` within what was captured, and returns what that returns. */
  run(captured: T | undefined, next: () => unknown): unknown;
}
