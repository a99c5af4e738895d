import { type Duration, parseDuration } from './duration.js';
import { FlowrraError } from './errors.js';

/** The shortest snooze, in milliseconds. A snooze uses no retry, so a delay of 0 would repeat the task without a pause. */
export const MIN_SNOOZE_MS = 1_000;

/** A task throws this to fail its job now, even if retries are left. */
export class FatalTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_FATAL';
}

/** A task throws this to be retried after a delay that it chooses. This uses one of the job's retries. */
export class RetryTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_RETRY';
  /** Milliseconds until the next attempt. */
  readonly delay: number;

  /** @throws {FlowrraConfigError} if `delay` is no duration. */
  constructor(delay: Duration, message = 'The task asked to be retried', options?: ErrorOptions) {
    super(message, options);
    this.delay = parseDuration(delay, 'RetryTaskError delay');
  }
}

/** A task throws this to run again later. This uses no retry. */
export class SnoozeTaskError extends FlowrraError {
  readonly code = 'FLOWRRA_SNOOZE';
  /** Milliseconds until the task runs again; at least 1,000. */
  readonly delay: number;

  /**
   * @param delay A delay of less than 1 s counts as 1 s.
   * @throws {FlowrraConfigError} if `delay` is no duration.
   */
  constructor(delay: Duration, message = 'The task asked to run again later', options?: ErrorOptions) {
    super(message, options);
    this.delay = Math.max(MIN_SNOOZE_MS, parseDuration(delay, 'SnoozeTaskError delay'));
  }
}
