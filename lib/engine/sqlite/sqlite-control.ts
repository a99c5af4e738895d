import { setImmediate as nextTurn, setTimeout as realTime } from 'node:timers/promises';
import { ExecutorNotRunningError } from '../../job/errors.js';
import { payloadFromText } from '../../job/payload/payload-text.js';
import { argsFrom, isTime, StoredFields } from '../../job/stored-fields.js';
import { isFinal } from '../../job/status.js';
import { CHANGED, type StoreConfig } from '../embedded/job-store.js';
import type { Attempt, JobRow, JobReport } from '../../job/job.js';
import type { Cancellation, JobControl } from '../control.js';
import type { RowPage, JobQuery, QueueCounts } from '../../job/query.js';
import { PATIENCE_MS } from './work/prefetch.js';
import { hasExpired, type InfoRow, infoOf, type ResultRow } from './sql/job-row.js';
import type { JobsFile } from './file/jobs-file.js';
import { storedReport } from './sql/report-writes.js';
import { rowsFor } from './sql/row-size.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';
import { LOOKED_MS, type TakenJobs } from './work/claimed-jobs.js';

/**
 * What other processes have taken ahead when a queue is paused they start within this time, or not
 * at all: real time, and some more, since they may be in the middle of starting one.
 */
const OTHERS_STOP_MS = 2 * PATIENCE_MS;

/** Other processes begin nothing later than this that they had taken when its job was cancelled: real time. */
const OTHERS_HEAR_MS = LOOKED_MS + 2;

export interface ControlSource {
  readonly file: JobsFile;
  readonly config: StoreConfig;
  readonly taken: TakenJobs;
  /** A job has ended here: those who wait for it are told. */
  ended(row: ResultRow): void;
}

/** What is done to jobs and queues of the file from outside, and asked about them. */
export class SqliteControl implements JobControl {
  private source: ControlSource | null = null;

  open(source: ControlSource): void {
    this.source = source;
  }

  close(): void {
    this.source = null;
  }

  async cancel(taskId: string, reason: string): Promise<Cancellation> {
    const { file, config, taken, ended } = this.opened;
    const known = this.known(taskId);
    if (known === undefined) return { kind: 'unknown' };
    if (isFinal(known.status)) return { kind: 'finished' };
    // What was taken ahead still waits: from here on it cannot be started.
    const withdrawn = taken.withdraw(known.id);
    const answer = await this.guarded(withdrawn, () => this.cancelIn(known.id, withdrawn, reason));
    if (answer.kind === 'signalled') {
      // An attempt that was taken at this very moment is with its worker by then.
      await nextTurn();
      if (!taken.cancel(known.id, reason)) await realTime(OTHERS_HEAR_MS);
    } else if (answer.kind === 'cancelled') {
      ended(file.looks.at(known.id) ?? known);
      // There is room for another one.
      config.notify(CHANGED);
    }
    return answer;
  }

  async report(attempt: Attempt, report: JobReport): Promise<void> {
    const { file } = this.opened;
    const mine = attempt as SqliteAttempt;
    const stored = storedReport(report);
    const rows = rowsFor(stored.progress) + report.lines.length;
    mine.reported = true;
    await file.commit.write(() => file.reports.report(mine, stored), rows);
  }

  job(taskId: string): JobRow | null {
    const row = this.known(taskId);
    if (row === undefined) return null;
    const { looks } = this.opened.file;
    const fields = new StoredFields();
    const text = looks.argsOf(row.id);
    const args = text === null ? null : fields.read('args', () => argsFrom(payloadFromText(text)), null);
    const logs = looks
      .logsOf(row.id)
      .map((line) => (isTime(line.at) ? line : { ...line, at: row.submitted_at }));
    return { ...infoOf(row, fields), args, logs };
  }

  find(query: JobQuery): RowPage {
    const { file, config, taken } = this.opened;
    const { status } = query;
    // In the file, what was taken ahead runs already.
    const asksForWaiting = status?.some((each) => each === 'pending' || each === 'retrying') ?? false;
    const stored = asksForWaiting && taken.waiting > 0 ? [...(status ?? []), 'running' as const] : status;
    const expired = config.clock.now() - config.retention.resultTtl;
    const { rows, cursor } = file.looks.page(query, stored, expired);
    const seen = rows.map((row) => taken.asSeen(row));
    const wanted = status === undefined ? seen : seen.filter((row) => status.includes(row.status));
    return { rows: wanted.map((row) => infoOf(row)), cursor };
  }

  counts(): QueueCounts[] {
    const { file, config, taken } = this.opened;
    const queues = new Map(config.queues.map(({ name }) => [name, noJobs(name)]));
    const of = (queue: string): Counts => {
      const counts = queues.get(queue) ?? noJobs(queue);
      queues.set(queue, counts);
      return counts;
    };
    for (const { queue, status, jobs } of file.looks.allCounts()) if (jobs !== 0) of(queue)[status] = jobs;
    file.queues.refresh();
    for (const queue of file.queues.pausedQueues) of(queue).paused = true;
    for (const { queue, row } of taken.allWaiting()) {
      of(queue).running--;
      of(queue)[row.status]++;
    }
    return [...queues.values()];
  }

  async retry(taskId: string): Promise<JobRow | null> {
    const { file, config } = this.opened;
    const known = this.known(taskId);
    if (known?.status !== 'failed') return null;
    const row = await file.commit.write(() =>
      file.redrives.redrive(known.id, config.clock.now()) ? file.looks.at(known.id) : undefined,
    );
    if (row === undefined) return null;
    config.notify(CHANGED);
    return infoOf(row);
  }

  async remove(taskId: string): Promise<boolean> {
    const { file } = this.opened;
    const known = this.known(taskId);
    if (known === undefined || !isFinal(known.status)) return false;
    return file.commit.write(() => file.retention.remove(known.id));
  }

  async pause(queue: string): Promise<void> {
    const { file, taken } = this.opened;
    await file.commit.write(() => file.queues.pause(queue, true));
    file.queues.refresh();
    await Promise.all([taken.giveBack(queue), realTime(OTHERS_STOP_MS)]);
  }

  async resume(queue: string): Promise<void> {
    const { file, config } = this.opened;
    await file.commit.write(() => file.queues.pause(queue, false));
    file.queues.refresh();
    config.notify(CHANGED);
  }

  /** Within a transaction: what becomes of the cancellation of a job, which may have changed meanwhile. */
  private cancelIn(id: number, withdrawn: SqliteAttempt | null, reason: string): Cancellation {
    const { file, config } = this.opened;
    const row = file.looks.at(id);
    if (row === undefined) return { kind: 'unknown' };
    if (isFinal(row.status)) return { kind: 'finished' };
    if (row.status === 'running' && withdrawn === null) {
      file.cancels.ask(id, reason);
      return { kind: 'signalled' };
    }
    const startedAt = withdrawn === null ? row.started_at : withdrawn.row.started_at;
    file.cancels.end({ ...row, started_at: startedAt }, reason, config.clock.now());
    return { kind: 'cancelled', job: infoOf(file.looks.at(id) as InfoRow) };
  }

  /** Writes; if that fails, what was withdrawn for it goes back into line. */
  private async guarded<T>(withdrawn: SqliteAttempt | null, apply: () => T): Promise<T> {
    const { file, taken } = this.opened;
    if (withdrawn === null) return file.commit.write(apply);
    try {
      const value = await file.commit.write(apply);
      taken.release(withdrawn);
      return value;
    } catch (error) {
      void taken.putBack([withdrawn]);
      throw error;
    }
  }

  private known(taskId: string): InfoRow | undefined {
    const { file, config, taken } = this.opened;
    const row = file.looks.find(taskId);
    if (row === undefined || hasExpired(row, config.clock.now(), config.retention.resultTtl))
      return undefined;
    return taken.asSeen(row);
  }

  private get opened(): ControlSource {
    if (this.source !== null) return this.source;
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
    success: 0,
    failed: 0,
    cancelled: 0,
  };
}
