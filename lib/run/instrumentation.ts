import type { Attempt } from '../job/job.js';
import type { MaybePromise } from '../job/async.js';
import type { Outcome } from '../job/outcome.js';

/** One call of `submit`, or of `submitMany`. */
export interface SubmittedBatch {
  readonly taskName: string;
  readonly queue: string;
  /** How many jobs it is to submit. */
  readonly jobs: number;
  /** What a job carries because of whose end this is submitted; `undefined` for what code submits. */
  readonly cause: unknown;
}

/** What a job carries to its attempts: plain data that counts as metadata, or `undefined` for nothing. */
export type Mark = (job: { readonly delay: number }) => unknown;

/** Code around submissions and attempts, for whoever traces or measures them. It must not throw by itself. */
export interface Instrumentation {
  /** @param send Submits. To be called once, and its answer to be returned; surroundings are captured within it. */
  submit<T extends string | string[]>(
    batch: SubmittedBatch,
    send: (mark: Mark) => MaybePromise<T>,
  ): MaybePromise<T>;
  /**
   * @param mark What the job carries.
   * @param run Runs the attempt. To be called once, and its answer to be returned.
   */
  attempt(attempt: Attempt, mark: unknown, run: () => MaybePromise<Outcome>): MaybePromise<Outcome>;
  /** A cancelled attempt has not ended in time, and counts as over. Its code may still run. */
  overdue(attempt: Attempt, outcome: Outcome): void;
}
