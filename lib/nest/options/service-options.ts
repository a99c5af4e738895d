import { wrong } from '../../job/check.js';
import type { Duration } from '../../job/duration.js';
import { duration, flag, OptionTable, type RulesOf, withMethods } from '../../job/rules.js';

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

const MAX_REASON_LENGTH = 1_000;

export const WAIT_RULES = new OptionTable({
  timeout: duration(),
  signal: withMethods<AbortSignal>(['addEventListener', 'removeEventListener'], 'It must be an AbortSignal.'),
} satisfies RulesOf<WaitForResultOptions>);

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
