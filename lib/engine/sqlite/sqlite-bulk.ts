import { setImmediate as nextTurn, setTimeout as realTime } from 'node:timers/promises';
import { isFinal } from '../../job/job.js';
import type { JobConditions } from '../../job/query.js';
import type { BulkConditions, BulkOperation, BulkStep, ChangedJob } from '../control.js';
import { CHANGED } from '../embedded/job-store.js';
import { cancelInFile, OTHERS_CHECK_MS, type SqliteControlParts } from './cancel-in-file.js';
import type { JobsFile } from './file/jobs-file.js';
import type { SqlitePage } from './sql/job-pages.js';
import type { SqliteRow } from './sql/job-row.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';
import type { ClaimedJobs } from './work/claimed-jobs.js';

/** The jobs of one transaction: it takes a few milliseconds, in which the event loop and other processes wait. */
const MAX_CHANGED = 100;
const MAX_COUNTED = 500;

/** A page of jobs as this process shows them: prefetched jobs wait, although they run in the file. */
export function seenPage(
  file: JobsFile,
  claimed: ClaimedJobs,
  query: JobConditions & { readonly cursor: string | null; readonly limit: number },
  expired: number,
): SqlitePage {
  const { status } = query;
  const wantsWaiting = status?.some((each) => !isFinal(each) && each !== 'running') ?? false;
  const stored =
    wantsWaiting && claimed.prefetchedCount > 0 ? [...(status ?? []), 'running' as const] : status;
  const { rows, cursor } = file.pages.page(query, stored, expired);
  const seen = rows.map((row) => claimed.asSeen(row));
  return { rows: status === undefined ? seen : seen.filter((row) => status.includes(row.status)), cursor };
}

/**
 * The steps of an operation on many jobs: a page of jobs, and a transaction that changes those that still meet the
 * conditions.
 *
 * @param open Throws once the file is closed, which may happen between two steps.
 */
export async function* bulkSteps(
  open: () => SqliteControlParts,
  operation: BulkOperation,
  conditions: BulkConditions,
  dryRun: boolean,
): AsyncIterable<BulkStep> {
  const limit = dryRun ? MAX_COUNTED : MAX_CHANGED;
  let cursor: string | null = null;
  do {
    const parts = open();
    const { file, claimed, config } = parts;
    const expired = config.clock.now() - config.retention.resultTtl;
    const page: SqlitePage = seenPage(file, claimed, { ...conditions, cursor, limit }, expired);
    ({ cursor } = page);
    const { rows } = page;
    if (dryRun || rows.length === 0) yield { count: rows.length, changed: [] };
    else if (operation.kind === 'cancel') yield await cancelAll(parts, rows, operation.reason);
    else if (operation.kind === 'retry') yield await retryAll(parts, rows);
    else yield await removeAll(parts, rows);
  } while (cursor !== null);
}

async function retryAll({ file, config }: SqliteControlParts, rows: readonly SqliteRow[]): Promise<BulkStep> {
  const now = config.clock.now();
  const retried = await file.commit.write(
    () => rows.filter(({ id }) => file.control.retry(id, now)),
    rows.length,
  );
  if (retried.length > 0) config.notify(CHANGED);
  return { count: retried.length, changed: retried.map((row) => told({ ...row, retries: 0 }, null)) };
}

async function removeAll({ file }: SqliteControlParts, rows: readonly SqliteRow[]): Promise<BulkStep> {
  const removed = await file.commit.write(
    () => rows.filter(({ id }) => file.retention.remove(id)),
    rows.length,
  );
  return { count: removed.length, changed: [] };
}

async function cancelAll(
  { file, config, claimed, results }: SqliteControlParts,
  rows: readonly SqliteRow[],
  reason: string,
): Promise<BulkStep> {
  // Prefetched jobs are still waiting: withdrawn, they can no longer start.
  const withdrawn = new Map<number, SqliteAttempt>();
  for (const { id } of rows) {
    const attempt = claimed.withdraw(id);
    if (attempt !== null) withdrawn.set(id, attempt);
  }
  const cancelled: SqliteRow[] = [];
  const signalled: SqliteRow[] = [];
  let woken = 0;
  try {
    await file.commit.write(() => {
      const now = config.clock.now();
      for (const row of rows) {
        const kind = cancelInFile(file, row.id, withdrawn.get(row.id) ?? null, reason, now);
        if (kind === 'cancelled') cancelled.push(row);
        else if (kind === 'signalled') signalled.push(row);
        else if (kind === 'woken') woken++;
      }
    }, rows.length);
  } catch (error) {
    if (withdrawn.size > 0) void claimed.release([...withdrawn.values()]);
    throw error;
  }
  for (const attempt of withdrawn.values()) claimed.forget(attempt);
  for (const row of cancelled) results.finished(row.id, () => file.reads.at(row.id));
  if (cancelled.length + woken > 0) config.notify(CHANGED);
  if (signalled.length > 0) {
    // After one turn, an attempt that was being claimed is known here.
    await nextTurn();
    const others = signalled.filter(({ id }) => !claimed.cancel(id, reason));
    if (others.length > 0) await realTime(OTHERS_CHECK_MS);
  }
  return {
    count: cancelled.length + signalled.length + woken,
    changed: cancelled.map((row) => told(row, reason)),
  };
}

function told({ task_id, task, queue, retries }: SqliteRow, reason: string | null): ChangedJob {
  return { taskId: task_id, taskName: task, queue, retries, reason };
}
