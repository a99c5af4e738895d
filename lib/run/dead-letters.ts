import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { LazyAbort } from './lazy-abort.js';
import type { Attempt, AttemptError, Metadata } from '../job/job.js';
import { NO_SUBMIT_OPTIONS } from '../job/submission.js';
import { contextOf, carrierOf, metadataOf } from '../job/metadata.js';
import type { Clock } from '../job/clock.js';
import { PayloadError } from '../job/errors.js';
import { printed, shownText } from '../job/show-value.js';
import type { Submitter } from './submitter.js';
import type { TaskRegistry } from './task-registry.js';
import type { TaskError } from '../job/task-result.js';
import { errorsAfter } from '../job/outcome.js';

/** What a dead-letter task is given: a job that has failed for good. */
export interface DeadLetter {
  /** The id of the job that has failed. */
  readonly taskId: string;
  readonly taskName: string;
  /** Where it had waited. */
  readonly queue: string;
  /** Its arguments; `null` if they could not be read, or are too large to travel in a letter. */
  readonly args: readonly unknown[] | null;
  /** What its submitter gave with it; `{}` for nothing. */
  readonly metadata: Metadata;
  /** What each failed attempt threw, oldest first; at most the last ten. */
  readonly errors: readonly TaskError[];
  readonly submittedAt: Date;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;

/** Hands what has failed for good to the task that is to receive it, before the failure is stored. */
export class DeadLetters {
  private readonly logger = new Logger('Flowrra');

  constructor(
    private readonly registry: TaskRegistry,
    private readonly submitter: Submitter,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves with `true` when the dead letter is stored, however long the engine rejects it, and with
   * `false` if `end` is aborted before.
   */
  async send(handler: string, attempt: Attempt, error: AttemptError, end: LazyAbort): Promise<boolean> {
    // A failed handler gets no dead letter about its own failure.
    if (attempt.taskName === handler) return true;
    let letter = letterOf(attempt, error);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        await this.submit(handler, attempt, letter);
        return true;
      } catch (cause) {
        if (cause instanceof PayloadError && letter.args !== null) {
          letter = { ...letter, args: null };
          continue;
        }
        if (pause === FIRST_PAUSE_MS)
          this.logger.error(
            `The dead letter of ${attempt.taskName} ${shownText(attempt.taskId)} could not be submitted to '${handler}'. It is tried again until it is stored: ${printed(cause)}`,
          );
        if (end.aborted) return false;
        await this.pause(pause, end);
      }
    }
  }

  /** With a derived id, so that a repeated submission adds no second job. It bypasses `maxPending`. */
  private async submit(handler: string, attempt: Attempt, letter: DeadLetter): Promise<void> {
    const { metadata } = attempt;
    await this.submitter.submit(this.registry.route(handler), [letter], {
      ...NO_SUBMIT_OPTIONS,
      taskId: letterId(attempt),
      context: contextOf(metadata),
      cause: carrierOf(metadata),
      bypassMaxPending: true,
    });
  }

  private pause(ms: number, end: LazyAbort): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(ms, resolve);
      end.onAbort(() => {
        cancel();
        resolve();
      });
    });
  }
}

function letterId({ taskId, startedAt }: Attempt): string {
  return `d${createHash('sha256').update(`${startedAt} ${taskId}`).digest('base64url')}`;
}

function letterOf(attempt: Attempt, error: AttemptError): DeadLetter {
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
