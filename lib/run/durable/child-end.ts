import { ChildFailedError } from '../../job/durable-errors.js';
import type { JobRow } from '../../job/job.js';
import type { CallRecord, ChildRecord } from '../../job/journal/journal-record.js';
import { payloadToJson } from '../../job/payload/payload-text.js';

/** The record of a child's end for the journal of its parent. */
export function childEnd(
  {
    taskId,
    status,
    finishedAt,
    errors,
    reason,
  }: Pick<JobRow, 'taskId' | 'status' | 'finishedAt' | 'errors' | 'reason'>,
  result: unknown,
): ChildRecord {
  return {
    kind: 'child',
    taskId,
    at: finishedAt ?? 0,
    status: status as ChildRecord['status'],
    ...(status === 'success' && { result: payloadToJson(result) }),
    errors,
    reason,
  };
}

/** The end of a child of which the engine knows nothing. */
export function lostChild(taskId: string, taskName: string, at: number): ChildRecord {
  const message = `The child job ${taskId} of '${taskName}' is not known any more: it has been removed, or its result was dropped.`;
  const error = {
    attempt: 1,
    name: 'ResultExpiredError',
    message,
    code: 'FLOWRRA_RESULT_EXPIRED',
    stack: null,
    at,
  };
  return { kind: 'child', taskId, at, status: 'failed', errors: [error], reason: null };
}

/** The error with which `ctx.call` rejects. */
export function childError(
  { taskId, taskName }: Pick<CallRecord, 'taskId' | 'taskName'>,
  { status, errors, reason }: ChildRecord,
): ChildFailedError {
  const last = errors.at(-1);
  const why = reason ?? (last === undefined ? 'no error is known' : `${last.name}: ${last.message}`);
  const dated = errors.map((error) => ({ ...error, at: new Date(error.at) }));
  const verb = status === 'cancelled' ? 'was cancelled' : 'has failed';
  return new ChildFailedError(
    `The child job ${taskId} of '${taskName}' ${verb}: ${why}`,
    taskId,
    taskName,
    status as 'failed' | 'cancelled',
    dated,
  );
}
