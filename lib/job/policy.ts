import { type Duration, parseDuration } from './duration.js';
import type { TaskTags } from './tags.js';

/**
 * The delay before a retry.
 * - `'fixed'`: `retryDelay`, each time.
 * - `'exponential'`: `retryDelay`, doubled at each further retry, up to `maxRetryDelay`.
 * - a function: it gets the number of the failed attempt (from 1) and its error, and returns the delay.
 */
export type Backoff = 'fixed' | 'exponential' | ((attempt: number, error: unknown) => Duration);

/** The complete policy of a task. Times are milliseconds; `Infinity` means no limit. */
export interface TaskPolicy {
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly backoff: Backoff;
  readonly maxRetryDelay: number;
  readonly jitter: boolean;
  readonly timeout: number;
  readonly killGrace: number;
  /** How long after the submission an attempt may start. */
  readonly expires: number;
  /** The task that handles jobs that failed for good; `null` for none. */
  readonly deadLetter: string | null;
}

/** The part of a policy that one job may override. It is stored with the job. */
export interface PolicyOverrides {
  readonly maxRetries?: number;
  readonly retryDelay?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly timeout?: number;
  readonly expires?: number;
  /** The start of `expires` in milliseconds since the epoch, if it is not the submission. */
  readonly validFrom?: number;
}

/** Where and how one task runs, from the options of `@Task()` or `register()`. */
export interface ResolvedTask {
  readonly name: string;
  readonly queue: string;
  readonly cpuBound: boolean;
  readonly policy: TaskPolicy;
  /** `undefined` for none. */
  readonly tags: TaskTags | undefined;
}

/** The policy of one job. */
export function effectivePolicy(policy: TaskPolicy, overrides: PolicyOverrides | undefined): TaskPolicy {
  return overrides === undefined ? policy : { ...policy, ...overrides };
}

/**
 * The delay before the next attempt, in whole milliseconds.
 *
 * @param attempt The number of the attempt that failed, from 1.
 * @param error The error of that attempt, for a backoff function.
 * @param random Draws from [0, 1) for jitter.
 * @throws The error of a backoff function, or `FlowrraConfigError` if it returns no duration.
 */
export function retryDelay(
  policy: TaskPolicy,
  attempt: number,
  error: unknown,
  random: () => number,
): number {
  const delay = plannedDelay(policy, attempt, error);
  return policy.jitter ? Math.floor(random() * (delay + 1)) : delay;
}

function plannedDelay(
  { backoff, retryDelay: base, maxRetryDelay }: TaskPolicy,
  attempt: number,
  error: unknown,
): number {
  if (typeof backoff === 'function') {
    const answer: unknown = backoff(attempt, error);
    // A promise is no duration. Its rejection would be unhandled.
    if (answer instanceof Promise) answer.catch(() => undefined);
    return parseDuration(answer, 'The value that the backoff function returned');
  }
  if (backoff === 'fixed') return base;
  // 2 ** 1100 is Infinity, and 0 * Infinity is NaN.
  return base === 0 ? 0 : Math.min(maxRetryDelay, base * 2 ** (attempt - 1));
}
