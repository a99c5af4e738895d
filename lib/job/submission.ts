import type { Dedupe, Metadata } from './job.js';
import type { PolicyOverrides } from './policy.js';

/** One submission's options, checked. */
export interface ResolvedSubmit {
  readonly priority: number;
  /** Milliseconds until the job is due, 0 for now. */
  readonly delay: number;
  /** `undefined` the engine generates one. */
  readonly taskId: string | undefined;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  /** Its key as it was given: the task's name is put before it when it is submitted. */
  readonly dedupe: Dedupe | undefined;
  /** Whether `maxPending` is not for it. */
  readonly bypassMaxPending?: boolean;
  /** In the place of what would be captured. */
  readonly context?: unknown;
  /** What a job carries because of whose end this one is submitted. */
  readonly cause?: unknown;
}

/** A submission without options: one object for all, since most submissions have none. */
export const NO_SUBMIT_OPTIONS: ResolvedSubmit = Object.freeze({
  priority: 0,
  delay: 0,
  taskId: undefined,
  overrides: undefined,
  metadata: undefined,
  dedupe: undefined,
});
