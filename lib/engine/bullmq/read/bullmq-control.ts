import { EngineError, ExecutorNotRunningError } from '../../../job/errors.js';
import type { Clock } from '../../../job/clock.js';
import { StoredFields } from '../../../job/stored-fields.js';
import type { Attempt, JobRow, JobReport } from '../../../job/job.js';
import type { Cancellation, JobControl } from '../../control.js';
import type { RowPage, JobQuery, QueueCounts } from '../../../job/query.js';
import { type BullQueues, type FoundJob, PENDING } from '../server/bull-queues.js';
import type { BullRun } from '../work/bull-run.js';
import { placeOf } from '../work/cancel-watch.js';
import { JobFinder } from './job-finder.js';
import { argsOf, cancelText, reasonIn } from '../job-mapping.js';
import { lineOf, progressText, rowOf } from '../work/job-report.js';
import { infoOf } from './job-view.js';
import { isMalformed } from '../malformed-job.js';
import type { ServerJobs } from '../server/server-jobs.js';

export interface ControlParts {
  readonly queues: BullQueues;
  readonly jobs: ServerJobs;
  readonly clock: Clock;
  readonly resultTtl: number;
  /** Asks the server, but not for ever. */
  asked<T>(ask: () => Promise<T>): Promise<T>;
  /** The run that an attempt is of, unless that is over. */
  runOf(attempt: Attempt): BullRun | undefined;
  /** To be told of a cancellation before the server is; returns what is to be called if the job did not wait. */
  cancelling(taskId: string): () => void;
  /** A job that waited has been cancelled. */
  cancelled(taskId: string): void;
  /** A job that runs, maybe here, has been cancelled. */
  told(taskId: string, reason: string): void;
  trouble(error: unknown): void;
}

/** What is done to jobs and queues on the server, and asked about them. */
export class BullMqControl implements JobControl {
  private parts: ControlParts | null = null;

  open(parts: ControlParts): void {
    this.parts = parts;
  }

  close(): void {
    this.parts = null;
  }

  async cancel(taskId: string, reason: string): Promise<Cancellation> {
    const { asked, jobs, clock, cancelling, cancelled, told } = this.opened;
    const found = await this.found(taskId);
    if (found === null) return { kind: 'unknown' };
    if (this.isOver(found)) return { kind: 'finished' };
    const didNotWait = cancelling(taskId);
    const { kind, text } = await asked(() => jobs.cancel({ queue: found.queue, taskId }, cancelText(reason)));
    const first = reasonIn(text) ?? reason;
    if (kind !== 'cancelled') {
      didNotWait();
      if (kind !== 'told') return { kind };
      told(taskId, first);
      return { kind: 'signalled' };
    }
    cancelled(taskId);
    const changes = { status: kind, reason: first, finishedAt: clock.now() } as const;
    return { kind, job: await this.infoAfter(found, changes) };
  }

  /** What cannot be kept is no reason for an attempt to fail. */
  report(attempt: Attempt, { progress, lines }: JobReport): Promise<void> {
    const run = this.parts?.runOf(attempt);
    const token = run?.job.token;
    if (run === undefined || token === undefined) return Promise.resolve();
    const { asked, jobs, trouble } = this.opened;
    const json = progress === undefined ? null : progressText(progress);
    const rows = lines.map(rowOf);
    run.reported = run.reported
      .then(() => asked(() => jobs.report(placeOf(run), token, json, rows)))
      .catch(trouble);
    return run.reported;
  }

  async job(taskId: string): Promise<JobRow | null> {
    const { asked, queues } = this.opened;
    const found = await this.found(taskId);
    if (found === null) return null;
    const info = await this.info(found);
    const fields = new StoredFields();
    for (const field of info.unreadable ?? []) fields.note(field, null);
    const args = fields.read('args', () => argsOf(found.job.data), null);
    const rows = await asked(() => queues.get(found.queue).getJobLogs(taskId)).then(
      ({ logs }) => logs,
      (error: unknown) => {
        if (!(error instanceof EngineError) || !isMalformed(error.cause)) throw error;
        fields.note('logs', error);
        return [];
      },
    );
    const { unreadable } = fields;
    return {
      ...info,
      args: unreadable?.includes('args') ? null : args,
      logs: rows.map((row) => lineOf(row, info.submittedAt)),
      ...(unreadable && { unreadable }),
    };
  }

  async find(query: JobQuery): Promise<RowPage> {
    const { asked, queues, jobs } = this.opened;
    const finder = new JobFinder(queues, jobs, (found) => this.isDropped(found));
    return asked(() => finder.find(query));
  }

  /**
   * BullMQ keeps jobs that wait for a retry in one list with those that wait for their first attempt:
   * all of them count as pending, and none as retrying.
   */
  async counts(): Promise<readonly QueueCounts[]> {
    const { asked, queues } = this.opened;
    return asked(() => Promise.all(queues.names.map((queue) => this.countsOf(queue))));
  }

  async retry(taskId: string): Promise<JobRow | null> {
    const { asked, jobs } = this.opened;
    const found = await this.found(taskId);
    if (found === null) return null;
    if (!(await asked(() => jobs.retry({ queue: found.queue, taskId })))) return null;
    return this.infoAfter(found, { status: 'pending', startedAt: null, finishedAt: null, retries: 0 });
  }

  async remove(taskId: string): Promise<boolean> {
    const { asked, jobs } = this.opened;
    const found = await this.found(taskId);
    return found !== null && asked(() => jobs.remove({ queue: found.queue, taskId }));
  }

  /** Resolves when no process is handed out any more. One whose worker had asked before may still start a job. */
  pause(queue: string): Promise<void> {
    const { asked, queues } = this.opened;
    return asked(() => queues.get(queue).pause());
  }

  resume(queue: string): Promise<void> {
    const { asked, queues } = this.opened;
    return asked(() => queues.get(queue).resume());
  }

  private async countsOf(name: string): Promise<QueueCounts> {
    const { queues, jobs } = this.opened;
    const queue = queues.get(name);
    const [counts, cancelled, paused] = await Promise.all([
      queue.getJobCounts(...PENDING, 'active', 'completed', 'failed'),
      jobs.cancelledCount(name),
      queue.isPaused(),
    ]);
    const { active = 0, completed = 0, failed = 0 } = counts;
    const pending = PENDING.reduce((sum, list) => sum + (counts[list] ?? 0), 0);
    return {
      queue: name,
      paused,
      pending,
      running: active,
      retrying: 0,
      success: completed,
      failed: Math.max(0, failed - cancelled),
      cancelled,
    };
  }

  /** As it is after what was done to it; as that must have made it, if it cannot be seen any more. */
  private async infoAfter(before: FoundJob, changes: Partial<JobRow>): Promise<JobRow> {
    const { asked, queues } = this.opened;
    const { queue, list, job } = before;
    const now = await asked(() => queues.look(queue, job.id as string)).catch(() => null);
    return now === null ? { ...infoOf(job, list, queue, null), ...changes } : this.info(now);
  }

  private async info({ queue, list, job }: FoundJob): Promise<JobRow> {
    const { asked, jobs } = this.opened;
    const place = { queue, taskId: job.id as string };
    const [dueAt = null] = list === 'delayed' ? await asked(() => jobs.dueTimes([place])) : [];
    return infoOf(job, list, queue, dueAt);
  }

  private async found(taskId: string): Promise<FoundJob | null> {
    const { asked, queues } = this.opened;
    const found = await asked(() => queues.find(taskId));
    return found === null || this.isDropped(found) ? null : found;
  }

  private isOver({ list }: FoundJob): boolean {
    return list === 'completed' || list === 'failed';
  }

  /** BullMQ drops old results only when the next job ends, so age is judged here. */
  private isDropped(found: FoundJob): boolean {
    const { clock, resultTtl } = this.opened;
    return this.isOver(found) && (found.job.finishedOn ?? Infinity) <= clock.now() - resultTtl;
  }

  private get opened(): ControlParts {
    if (this.parts !== null) return this.parts;
    throw new ExecutorNotRunningError('The engine is not connected.');
  }
}
