import { setImmediate as nextTurn, setTimeout as realTime } from 'node:timers/promises';
import { ExecutorNotRunningError } from '../../job/errors.js';
import { type Attempt, type JobReport, type JobRow, isFinal } from '../../job/job.js';
import { payloadFromText } from '../../job/payload/payload-text.js';
import type { JobQuery, QueueCounts, RowPage } from '../../job/query.js';
import { argsFrom, isTime, StoredFields } from '../../job/stored-fields.js';
import type { BulkConditions, BulkOperation, BulkStep, Cancellation, JobControl } from '../control.js';
import { CHANGED } from '../embedded/job-store.js';
import { rowsFor } from './file/group-commit.js';
import { bulkSteps, seenPage } from './sqlite-bulk.js';
import { cancelInFile, OTHERS_CHECK_MS, type SqliteControlParts } from './cancel-in-file.js';
import { encodeReport } from './sql/control-writes.js';
import { hasExpired, type SqliteRow, toJobRow } from './sql/job-row.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';
import { MAX_AGE_MS } from './work/prefetch.js';

/**
 * Within this time after a pause, other processes start or release the jobs that they have prefetched: real
 * milliseconds, with a reserve for a start that is under way.
 */
const OTHERS_RELEASE_MS = 2 * MAX_AGE_MS;

/** Operations on jobs and queues of the file. */
export class SqliteControl implements JobControl {
  private closed = false;

  constructor(private readonly parts: SqliteControlParts) {}

  close(): void {
    this.closed = true;
  }

  async cancel(taskId: string, reason: string): Promise<Cancellation> {
    const { file, config, claimed, results } = this.open;
    const found = this.row(taskId);
    if (found === undefined) return { kind: 'unknown' };
    if (isFinal(found.status)) return { kind: 'finished' };
    // A prefetched job is still waiting: withdrawn, it can no longer start.
    const withdrawn = claimed.withdraw(found.id);
    const answer = await this.writeCancellation(found.id, withdrawn, reason);
    if (answer.kind === 'signalled') {
      // After one turn, an attempt that was being claimed is known here.
      await nextTurn();
      if (!claimed.cancel(found.id, reason)) await realTime(OTHERS_CHECK_MS);
    } else if (answer.kind === 'cancelled') {
      results.finished(found.id, () => file.reads.at(found.id) ?? found);
      // There is room for another job.
      config.notify(CHANGED);
    } else if (answer.kind === 'woken') {
      config.notify(CHANGED);
      return { kind: 'signalled' };
    }
    return answer;
  }

  async report(attempt: Attempt, report: JobReport): Promise<void> {
    const { file } = this.open;
    const own = attempt as SqliteAttempt;
    const encoded = encodeReport(report);
    own.reported = true;
    const rows = rowsFor(encoded.progress) + report.lines.length;
    await file.commit.write(() => file.control.report(own, encoded), rows);
  }

  job(taskId: string): JobRow | null {
    const { reads } = this.open.file;
    const row = this.row(taskId);
    if (row === undefined) return null;
    const fields = new StoredFields();
    const text = reads.argsOf(row.id);
    const args = text === null ? null : fields.read('args', () => argsFrom(payloadFromText(text)), null);
    const logs = reads
      .logsOf(row.id)
      .map((line) => (isTime(line.at) ? line : { ...line, at: row.submitted_at }));
    return { ...toJobRow(row, fields), args, logs };
  }

  find(query: JobQuery): RowPage {
    const { file, config, claimed } = this.open;
    const expired = config.clock.now() - config.retention.resultTtl;
    const { rows, cursor } = seenPage(file, claimed, query, expired);
    return { rows: rows.map((row) => toJobRow(row)), cursor };
  }

  counts(): QueueCounts[] {
    const { file, config, claimed } = this.open;
    const queues = new Map(config.queues.map(({ name }) => [name, noJobs(name)]));
    const of = (queue: string): Counts => {
      const counts = queues.get(queue) ?? noJobs(queue);
      queues.set(queue, counts);
      return counts;
    };
    for (const { queue, status, jobs } of file.reads.allCounts()) if (jobs !== 0) of(queue)[status] = jobs;
    file.queues.refresh();
    for (const queue of file.queues.pausedQueues) of(queue).paused = true;
    for (const { queue, row } of claimed.prefetched()) {
      of(queue).running--;
      of(queue)[row.status]++;
    }
    return [...queues.values()];
  }

  async retry(taskId: string): Promise<JobRow | null> {
    const { file, config } = this.open;
    const found = this.row(taskId);
    if (found?.status !== 'failed') return null;
    const row = await file.commit.write(() =>
      file.control.retry(found.id, config.clock.now()) ? file.reads.at(found.id) : undefined,
    );
    if (row === undefined) return null;
    config.notify(CHANGED);
    return toJobRow(row);
  }

  async remove(taskId: string): Promise<boolean> {
    const { file } = this.open;
    const found = this.row(taskId);
    if (found === undefined || !isFinal(found.status)) return false;
    return file.commit.write(() => file.retention.remove(found.id));
  }

  bulk(operation: BulkOperation, conditions: BulkConditions, dryRun: boolean): AsyncIterable<BulkStep> {
    return bulkSteps(() => this.open, operation, conditions, dryRun);
  }

  async pause(queue: string): Promise<void> {
    const { file, claimed } = this.open;
    await file.commit.write(() => file.queues.pause(queue, true));
    file.queues.refresh();
    await Promise.all([claimed.releaseQueue(queue), realTime(OTHERS_RELEASE_MS)]);
  }

  async resume(queue: string): Promise<void> {
    const { file, config } = this.open;
    await file.commit.write(() => file.queues.pause(queue, false));
    file.queues.refresh();
    config.notify(CHANGED);
  }

  /** Writes a cancellation. If the write fails, a withdrawn job is released. */
  private async writeCancellation(
    id: number,
    withdrawn: SqliteAttempt | null,
    reason: string,
  ): Promise<Cancellation | { readonly kind: 'woken' }> {
    const { file, claimed } = this.open;
    try {
      const answer = await file.commit.write(() => {
        const kind = cancelInFile(file, id, withdrawn, reason, this.parts.config.clock.now());
        return kind === 'cancelled' ? { kind, job: toJobRow(file.reads.at(id) as SqliteRow) } : { kind };
      });
      if (withdrawn !== null) claimed.forget(withdrawn);
      return answer;
    } catch (error) {
      if (withdrawn !== null) void claimed.release([withdrawn]);
      throw error;
    }
  }

  /** The job's row as this process shows it; `undefined` if there is none or its result has expired. */
  private row(taskId: string): SqliteRow | undefined {
    const { file, config, claimed } = this.open;
    const row = file.reads.find(taskId);
    if (row === undefined || hasExpired(row, config.clock.now(), config.retention.resultTtl))
      return undefined;
    return claimed.asSeen(row);
  }

  private get open(): SqliteControlParts {
    if (!this.closed) return this.parts;
    throw new ExecutorNotRunningError('The database file is not open.');
  }
}

type Counts = { -readonly [Key in keyof QueueCounts]: QueueCounts[Key] };

function noJobs(queue: string): Counts {
  return {
    queue,
    paused: false,
    pending: 0,
    running: 0,
    retrying: 0,
    suspended: 0,
    success: 0,
    failed: 0,
    cancelled: 0,
  };
}
