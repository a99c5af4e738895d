import { EngineError } from '../../../job/errors.js';
import type { Attempt, JobReport, JobRow } from '../../../job/job.js';
import type { JobQuery, QueueCounts, RowPage } from '../../../job/query.js';
import { StoredFields } from '../../../job/stored-fields.js';
import type { BulkConditions, BulkOperation, BulkStep, Cancellation, JobControl } from '../../control.js';
import type { BullMqParts } from '../bullmq-parts.js';
import { argsOf, cancelReasonIn, cancelText, logLineOf, logRowOf, progressText } from '../job-mapping.js';
import { isMalformed } from '../malformed-job.js';
import { type FoundJob, PENDING } from '../server/bull-queues.js';
import { bulkSteps } from './bulk-steps.js';
import { JobFinder } from './job-finder.js';
import { TagFinder } from './tag-finder.js';
import { rowOf } from './job-row.js';

/** Queries and operations on the server's jobs and queues. */
export class BullMqControl implements JobControl {
  private readonly finder: JobFinder;
  private readonly tagFinder: TagFinder;

  /** @param cancelled Called when a waiting job has been cancelled. */
  constructor(
    private readonly parts: BullMqParts,
    private readonly cancelled: (taskId: string) => void,
  ) {
    this.finder = new JobFinder(parts.queues, parts.jobs);
    this.tagFinder = new TagFinder(parts.queues, parts.jobs);
  }

  async cancel(taskId: string, reason: string): Promise<Cancellation> {
    const { reads, jobs, host, fleet, runs } = this.parts;
    const found = await this.found(taskId);
    if (found === null) return { kind: 'unknown' };
    if (isFinished(found)) return { kind: 'finished' };
    const didNotWait = fleet?.cancelling(taskId);
    const place = { queue: found.queue, taskId };
    const { kind, text } = await reads.run(() => jobs.cancel(place, cancelText(reason)));
    const first = cancelReasonIn(text) ?? reason;
    if (kind !== 'cancelled') {
      didNotWait?.();
      if (kind === 'signalled' && text !== null) runs.cancel(taskId, first);
      return { kind };
    }
    this.cancelled(taskId);
    const changes = { status: kind, reason: first, finishedAt: host.clock.now() } as const;
    return { kind, job: await this.rowAfter(found, changes) };
  }

  /** A report that cannot be stored does not fail the attempt. */
  report(attempt: Attempt, { progress, lines }: JobReport): Promise<void> {
    const { reads, jobs, outages, runs } = this.parts;
    const run = runs.of(attempt);
    const token = run?.job.token;
    if (run === undefined || token === undefined) return Promise.resolve();
    const json = progress === undefined ? null : progressText(progress);
    const rows = lines.map(logRowOf);
    run.reported = run.reported
      .then(() => reads.run(() => jobs.report(run.attempt, token, json, rows)))
      .catch(outages.report);
    return run.reported;
  }

  async job(taskId: string): Promise<JobRow | null> {
    const { reads, queues } = this.parts;
    const found = await this.found(taskId);
    if (found === null) return null;
    const row = await this.row(found);
    const fields = new StoredFields();
    for (const field of row.unreadable ?? []) fields.note(field, null);
    const args = fields.read('args', () => argsOf(found.job.data), null);
    const logs = await reads
      .run(() => queues.get(found.queue).getJobLogs(taskId))
      .then(
        (answer) => answer.logs,
        (error: unknown) => {
          if (!(error instanceof EngineError) || !isMalformed(error.cause)) throw error;
          fields.note('logs', error);
          return [];
        },
      );
    const { unreadable } = fields;
    return {
      ...row,
      args: unreadable?.includes('args') ? null : args,
      logs: logs.map((line) => logLineOf(line, row.submittedAt)),
      ...(unreadable && { unreadable }),
    };
  }

  async find(query: JobQuery): Promise<RowPage> {
    const { tag } = query;
    const find = tag === undefined ? () => this.finder.find(query) : () => this.tagFinder.find(query, tag);
    return this.parts.reads.run(find);
  }

  /**
   * BullMQ has one list for jobs that wait for a retry and for those that wait for their first attempt:
   * all of them count as pending, and none as retrying.
   */
  async counts(): Promise<readonly QueueCounts[]> {
    const { reads, queues } = this.parts;
    return reads.run(() => Promise.all(queues.names.map((queue) => this.countsOf(queue))));
  }

  async retry(taskId: string): Promise<JobRow | null> {
    const { reads, jobs } = this.parts;
    const found = await this.found(taskId);
    if (found === null) return null;
    if (!(await reads.run(() => jobs.retry({ queue: found.queue, taskId })))) return null;
    return this.rowAfter(found, { status: 'pending', startedAt: null, finishedAt: null, retries: 0 });
  }

  async remove(taskId: string): Promise<boolean> {
    const { reads, jobs } = this.parts;
    const found = await this.found(taskId);
    return found !== null && reads.run(() => jobs.remove({ queue: found.queue, taskId }));
  }

  bulk(operation: BulkOperation, conditions: BulkConditions, dryRun: boolean): AsyncIterable<BulkStep> {
    return bulkSteps(this.parts, this.cancelled, operation, conditions, dryRun);
  }

  /** Resolves when the server hands out no more jobs. A worker may still start a job that it requested before. */
  pause(queue: string): Promise<void> {
    const { reads, queues } = this.parts;
    return reads.run(() => queues.get(queue).pause());
  }

  resume(queue: string): Promise<void> {
    const { reads, queues } = this.parts;
    return reads.run(() => queues.get(queue).resume());
  }

  private async countsOf(name: string): Promise<QueueCounts> {
    const { queues, jobs } = this.parts;
    const queue = queues.get(name);
    const [counts, cancelled, suspended, paused] = await Promise.all([
      queue.getJobCounts(...PENDING, 'active', 'completed', 'failed'),
      jobs.cancelledCount(name),
      jobs.journals.suspendedCount(name),
      queue.isPaused(),
    ]);
    const { active = 0, completed = 0, failed = 0 } = counts;
    const pending = PENDING.reduce((sum, list) => sum + (counts[list] ?? 0), 0);
    return {
      queue: name,
      paused,
      pending: Math.max(0, pending - suspended),
      running: active,
      retrying: 0,
      suspended,
      success: completed,
      failed: Math.max(0, failed - cancelled),
      cancelled,
    };
  }

  /** The row after an operation; if it cannot be read, the row before with the operation's changes. */
  private async rowAfter(before: FoundJob, changes: Partial<JobRow>): Promise<JobRow> {
    const { reads, queues } = this.parts;
    const { queue, list, job } = before;
    const after = await reads.run(() => queues.look(queue, job.id as string)).catch(() => null);
    return after === null ? { ...rowOf(job, list, queue), ...changes } : this.row(after);
  }

  private async row({ queue, list, job }: FoundJob): Promise<JobRow> {
    const { reads, jobs } = this.parts;
    const place = { queue, taskId: job.id as string };
    const [delayed] = list === 'delayed' ? await reads.run(() => jobs.delays([place])) : [];
    return rowOf(job, list, queue, delayed);
  }

  private found(taskId: string): Promise<FoundJob | null> {
    const { reads, queues } = this.parts;
    return reads.run(() => queues.find(taskId));
  }
}

function isFinished({ list }: FoundJob): boolean {
  return list === 'completed' || list === 'failed';
}
