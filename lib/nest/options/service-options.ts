import { wrong } from '../../job/check.js';
import type { Duration } from '../../job/duration.js';
import { checkStepName } from '../../job/durable-options.js';
import { duration, flag, optional, OptionTable, type RulesOf, withMethods } from '../../job/rules.js';

/** Options of `waitForResult()`. */
export interface WaitForResultOptions {
  /**
   * How long to wait.
   *
   * @defaultValue no limit
   */
  timeout?: Duration;
  /**
   * Ends the wait when it is aborted: `waitForResult` rejects with its reason.
   *
   * @defaultValue no signal
   */
  signal?: AbortSignal;
}

/** Options of `stop()`. */
export interface StopOptions {
  /**
   * Whether to let running jobs end. The memory engine also runs its waiting jobs. With `false`, running jobs are
   * aborted at once.
   *
   * @defaultValue `true`
   */
  wait?: boolean;
  /**
   * How long to wait before running jobs are aborted.
   *
   * @defaultValue `shutdownTimeout` of `forRoot()`
   */
  timeout?: Duration;
}

/** Options of `cancel()`. */
export interface CancelOptions {
  /**
   * The reason, stored with the job: 1 to 1,000 characters.
   *
   * @defaultValue `'Cancelled'`
   */
  reason?: string;
}

/** Options of `signal()`. */
export interface SignalOptions {
  /**
   * Your own id for the signal: 1 to 200 characters. The same id again adds no second signal, so that a request can be
   * repeated safely.
   *
   * @defaultValue a random id
   */
  id?: string;
}

/** Options of `jobs.retry()`. */
export interface RetryOptions {
  /**
   * A step of a durable job: this step and everything that began after it are forgotten, and done again.
   *
   * @defaultValue all finished steps stay
   */
  fromStep?: string;
}

const MAX_REASON_LENGTH = 1_000;

export const WAIT_RULES = new OptionTable({
  timeout: duration(),
  signal: withMethods<AbortSignal>(['addEventListener', 'removeEventListener'], 'It must be an AbortSignal.'),
} satisfies RulesOf<WaitForResultOptions>);

export const SIGNAL_RULES = new OptionTable({ id: optional(checkStepName) } satisfies RulesOf<SignalOptions>);

export const RETRY_RULES = new OptionTable({
  fromStep: optional(checkStepName),
} satisfies RulesOf<RetryOptions>);

export const STOP_RULES = new OptionTable({
  wait: flag(true),
  timeout: duration(),
} satisfies RulesOf<StopOptions>);

export const CANCEL_RULES = new OptionTable({
  reason(value: unknown = 'Cancelled', path): string {
    if (typeof value === 'string' && value !== '' && value.length <= MAX_REASON_LENGTH) return value;
    throw wrong(path, value, `It must be 1 to ${MAX_REASON_LENGTH} characters.`);
  },
} satisfies RulesOf<CancelOptions>);
