import type { AttemptError } from './job.js';

/** The end of one attempt. Times are relative, since the clocks of a fleet differ. */
export type Outcome =
  | { readonly kind: 'success'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: AttemptError }
  | { readonly kind: 'retry'; readonly error: AttemptError; readonly delay: number }
  | { readonly kind: 'snoozed'; readonly delay: number }
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** The attempt does not count: this process does not know the task, or could not finish it. */
  | { readonly kind: 'released'; readonly delay: number };

/** How many errors a job keeps; the oldest ones are dropped first. */
export const MAX_ERRORS = 10;

/** The errors of a job after one more attempt has failed. */
export function errorsAfter(errors: readonly AttemptError[], latest: AttemptError): AttemptError[] {
  return [...errors.slice(1 - MAX_ERRORS), latest];
}
