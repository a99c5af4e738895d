import { Logger } from '@nestjs/common';
import type { Attempt, AttemptError, Metadata } from '../engine/engine.interface.js';
import { NO_SUBMIT_OPTIONS } from '../options/resolve-submit-options.js';
import { contextOf, markOf, metadataOf } from './carried.js';
import type { Submitter } from './submitter.js';
import type { TaskRegistry } from './task-registry.js';
import type { TaskError } from './task-result.js';
import { MAX_ERRORS } from './task-snapshot.js';

/** What a dead-letter task is given: a job that has failed for good. */
export interface DeadLetter {
  readonly taskId: string;
  readonly taskName: string;
  readonly queue: string;
  /** `null` if they could not be read. */
  readonly args: readonly unknown[] | null;
  readonly metadata: Metadata;
  /** What each failed attempt threw, oldest first; at most the last ten. */
  readonly errors: readonly TaskError[];
  readonly submittedAt: Date;
}

/** Hands what has failed for good to the task that is to receive it. */
export class DeadLetters {
  private readonly logger = new Logger('Flowrra');

  constructor(
    private readonly registry: TaskRegistry,
    private readonly submitter: Submitter,
  ) {}

  /** Resolves when the letter is kept; never rejects: the failed job itself is kept in any case. */
  async send(receiver: string, attempt: Attempt, error: AttemptError): Promise<void> {
    // What fails to receive letters is not sent one about that.
    if (attempt.taskName === receiver) return;
    try {
      const letter = letterOf(attempt, error);
      const { metadata } = attempt;
      const options = { ...NO_SUBMIT_OPTIONS, context: contextOf(metadata), cause: markOf(metadata) };
      await this.submitter.submit(this.registry.route(receiver), [letter], options);
    } catch (cause) {
      this.logger.error(
        `The dead letter of ${attempt.taskName} ${attempt.taskId} could not be submitted to '${receiver}'; the job itself is kept as failed: ${String(cause)}`,
      );
    }
  }
}

function letterOf(attempt: Attempt, error: AttemptError): DeadLetter {
  const { taskId, taskName, queue, submittedAt, errors } = attempt;
  return {
    taskId,
    taskName,
    queue,
    args: readable(attempt),
    metadata: metadataOf(attempt.metadata),
    errors: [...errors.slice(1 - MAX_ERRORS), error].map((each) => ({ ...each, at: new Date(each.at) })),
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
