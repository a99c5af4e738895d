import type { Attempt } from '../job/job.js';
import type { MaybePromise } from '../job/async.js';
import type { Outcome } from '../job/outcome.js';

/** One call of `submit`, or of `submitMany`. */
export interface SubmittedBatch {
  readonly taskName: string;
  readonly queue: string;
  /** The number of jobs to submit. */
  readonly jobs: number;
  /** The mark of the job whose end submits this batch, such as a dead letter; `undefined` for the application's submissions. */
  readonly cause: unknown;
}

/** The data that a job carries to its attempts: plain data that counts as metadata, or `undefined` for none. */
export type Mark = (job: { readonly delay: number }) => unknown;

/** Code around submissions and attempts that traces or measures them. It must not throw. */
export interface Instrumentation {
  /** @param send Submits, within the captured context. Call it once, and return its answer. */
  submit<T extends string | string[]>(
    batch: SubmittedBatch,
    send: (mark: Mark) => MaybePromise<T>,
  ): MaybePromise<T>;
  /** Called when an attempt starts. */
  attempt(attempt: Attempt, mark: unknown): AttemptSpan;
}

/** One attempt, as an instrumentation follows it. */
export interface AttemptSpan {
  /** Calls the task's code once, and returns its answer. */
  within<R>(call: () => R): R;
  /** Called once, when the outcome is known. The code of a cancelled attempt may still run. */
  ended(outcome: Outcome): void;
}
