import { isFinal } from '../../job/job.js';
import type { Cancellation } from '../control.js';
import type { StoreConfig } from '../embedded/job-store.js';
import type { JobsFile } from './file/jobs-file.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';
import type { SqliteResults } from './sqlite-results.js';
import { CANCELLATION_CHECK_MS, type ClaimedJobs } from './work/claimed-jobs.js';

/** Later than this after a cancellation, no other process begins an attempt of the job: real milliseconds. */
export const OTHERS_CHECK_MS = CANCELLATION_CHECK_MS + 2;

export interface SqliteControlParts {
  readonly file: JobsFile;
  readonly config: StoreConfig;
  readonly claimed: ClaimedJobs;
  readonly results: SqliteResults;
}

/** `woken`: the job waited, and its next attempt undoes its steps and ends it. */
export type FileCancellation = Cancellation['kind'] | 'woken';

/**
 * Cancels a job, within a transaction: the job may have changed since it was read.
 *
 * @param withdrawn The attempt of a prefetched job, which runs in the file.
 */
export function cancelInFile(
  file: JobsFile,
  id: number,
  withdrawn: SqliteAttempt | null,
  reason: string,
  now: number,
): FileCancellation {
  const row = file.reads.at(id);
  if (row === undefined) return 'unknown';
  if (isFinal(row.status)) return 'finished';
  if (row.status === 'running' && withdrawn === null) {
    file.control.markCancelled(id, reason);
    return 'signalled';
  }
  if (file.journals.isAppended(id)) {
    if (file.journals.postCancellation(id, reason)) file.journals.wake(id);
    return 'woken';
  }
  const startedAt = withdrawn === null ? row.started_at : withdrawn.row.started_at;
  file.control.endCancelled({ ...row, started_at: startedAt }, reason, now);
  return 'cancelled';
}
