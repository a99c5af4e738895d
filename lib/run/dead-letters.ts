import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type LazyAbort, pauseUntil } from './lazy-abort.js';
import type { Attempt, AttemptError, Metadata } from '../job/job.js';
import { NO_SUBMIT_OPTIONS } from '../job/submit-options.js';
import { contextOf, metadataOf, carrierOf } from '../job/metadata.js';
import type { Clock } from '../job/clock.js';
import { PayloadError } from '../job/errors.js';
import { printed, shownText } from '../job/show-value.js';
import type { Submitter } from './submitter.js';
import type { TaskRegistry } from './task-registry.js';
import type { TaskError } from '../job/task-result.js';
import { errorsAfter } from '../job/outcome.js';

/** A job that has failed for good: the argument of a dead letter task. */
export interface DeadLetter {
  /** The id of the failed job. */
  readonly taskId: string;
  readonly taskName: string;
  /** The queue of the failed job. */
  readonly queue: string;
  /** Its arguments; `null` if they could not be read, or are too large for a dead letter. */
  readonly args: readonly unknown[] | null;
  /** The submitter's metadata; `{}` for none. */
  readonly metadata: Metadata;
  /** The errors of its attempts, oldest first; at most the last ten. */
  readonly errors: readonly TaskError[];
  readonly submittedAt: Date;
}

const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 15_000;

/** Submits a failed job to its dead letter handler, before the failure is stored. */
export class DeadLetters {
  private readonly logger = new Logger('Flowrra');

  constructor(
    private readonly registry: TaskRegistry,
    private readonly submitter: Submitter,
    private readonly clock: Clock,
  ) {}

  /**
   * Retries until the engine has accepted the dead letter, and resolves with `true`; with `false` if
   * `end` is aborted before.
   */
  async send(handler: string, attempt: Attempt, error: AttemptError, end: LazyAbort): Promise<boolean> {
    // A handler that fails is not sent its own failure.
    if (attempt.taskName === handler) return true;
    let deadLetter = deadLetterOf(attempt, error);
    for (let pause = MIN_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
      try {
        await this.submit(handler, attempt, deadLetter);
        return true;
      } catch (cause) {
        if (cause instanceof PayloadError && deadLetter.args !== null) {
          deadLetter = { ...deadLetter, args: null };
          continue;
        }
        if (pause === MIN_PAUSE_MS)
          this.logger.error(
            `The dead letter of ${attempt.taskName} ${shownText(attempt.taskId)} could not be submitted to '${handler}'. The submission is retried until it succeeds: ${printed(cause)}`,
          );
        if (end.aborted) return false;
        await pauseUntil(end, pause, this.clock);
      }
    }
  }

  /** The id is derived from the attempt, so that a retry after an uncertain submission adds no second job. `maxPending` does not apply. */
  private async submit(handler: string, attempt: Attempt, deadLetter: DeadLetter): Promise<void> {
    const { metadata } = attempt;
    await this.submitter.submit(this.registry.route(handler), [deadLetter], {
      ...NO_SUBMIT_OPTIONS,
      taskId: deadLetterId(attempt),
      context: contextOf(metadata),
      cause: carrierOf(metadata),
      bypassMaxPending: true,
    });
  }
}

function deadLetterId({ taskId, startedAt }: Attempt): string {
  return `d${createHash('sha256').update(`${startedAt} ${taskId}`).digest('base64url')}`;
}

function deadLetterOf(attempt: Attempt, error: AttemptError): DeadLetter {
  const { taskId, taskName, queue, submittedAt, errors } = attempt;
  return {
    taskId,
    taskName,
    queue,
    args: readable(attempt),
    metadata: metadataOf(attempt.metadata),
    errors: errorsAfter(errors, error).map((each) => ({ ...each, at: new Date(each.at) })),
    submittedAt: new Date(submittedAt),
  };
}

function readable(attempt: Attempt): readonly unknown[] | null {
  try {
    return attempt.args();
  } catch {
    return null;
  }
}
