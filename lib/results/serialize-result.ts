import { PayloadError } from '../job/errors.js';
import { payloadFromText, payloadToText } from '../job/payload/payload-text.js';
import type { TaskResult } from '../job/task-result.js';
import { type JobState } from '../job/job.js';
import { jobStateOf, taskResultOf } from '../job/task-snapshot.js';

/** A result as JSON text that loses nothing, for a backend that keeps text. */
export function serializeResult(result: TaskResult): string {
  return payloadToText(jobStateOf(result));
}

/**
 * The result behind {@link serializeResult}'s text.
 *
 * @throws {PayloadError} if the text is none of its making.
 */
export function deserializeResult(text: string): TaskResult {
  const state = payloadFromText(text) as Partial<JobState> | null;
  if (
    typeof state?.taskId !== 'string' ||
    typeof state.status !== 'string' ||
    typeof state.submittedAt !== 'number'
  ) {
    throw new PayloadError('result', 'the text is no serialized TaskResult');
  }
  return taskResultOf({ ...(state as JobState), progress: state.progress ?? null });
}
