import { PayloadError } from '../job/errors.js';
import { payloadFromText, payloadToText } from '../job/payload/payload-text.js';
import { type TaskResult, jobStateOf, taskResultOf } from '../job/task-result.js';
import type { JobState } from '../job/job.js';

/** A result as lossless JSON text, for a backend that stores text. */
export function serializeResult(result: TaskResult): string {
  return payloadToText(jobStateOf(result));
}

/**
 * Reads the text of {@link serializeResult}.
 *
 * @throws {PayloadError} if `serializeResult` did not write the text.
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
