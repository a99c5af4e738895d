import type { Pool } from 'pg';
import { MAX_LOG_LINES } from '../../../job/job.js';
import { CANCELLED, type KeepRule } from '../job-mapping.js';
import type {
  BulkAnswer,
  BulkCall,
  BulkChange,
  BulkSource,
  CancelAnswer,
  Debounced,
  JobList,
  JobPlace,
  ServerJobs,
} from './bull-server.js';
import { type Delayed, delayedAt, NOT_DELAYED } from './job-journals.js';
import { PostgresJournals } from './postgres-journals.js';
import { PostgresTags } from './postgres-tags.js';
import * as bulk from './sql/bulk.js';
import * as dedup from './sql/dedup.js';
import * as jobs from './sql/job.js';
import * as jobLog from './sql/job-log.js';
import { StepSize } from './step-size.js';

/** One of this many cancellations deletes old failed jobs, which costs more than the cancellation. */
const TRIM_ONE_IN = 50;
/** An operation on many jobs deletes old failed jobs each time it has cancelled this many, and at its end. */
const TRIM_EVERY = 5_000;

/** A job that does not wait, or to whose journal an attempt has appended. */
interface NotWaiting {
  readonly text: string | null;
  readonly waits: boolean;
  readonly over: boolean;
  readonly journalled: boolean;
}

/** {@link ServerJobs} as statements on BullMQ's tables. */
export class PostgresJobs implements ServerJobs {
  readonly tags: PostgresTags;
  readonly journals: PostgresJournals;
  private readonly sizes = {
    count: new StepSize(bulk.MAX_READ),
    cancel: new StepSize(bulk.MAX_READ),
    remove: new StepSize(bulk.MAX_READ),
    retry: new StepSize(bulk.MAX_READ),
  };
  /** By queue: jobs that operations on many jobs have cancelled since old failed jobs were last deleted. */
  private readonly untrimmed = new Map<string, number>();

  /** @param named Returns the queue's name in BullMQ. */
  constructor(
    private readonly pool: Pool,
    private readonly named: (queue: string) => string,
    private readonly keep: KeepRule,
    private readonly now: () => number,
  ) {
    this.tags = new PostgresTags(pool, named);
    this.journals = new PostgresJournals(pool, named, now);
  }

  async cancel({ queue, taskId }: JobPlace, text: string): Promise<CancelAnswer> {
    const at = [this.named(queue), taskId];
    for (;;) {
      const [ended] = await this.ask<{ text: string }>(jobs.CANCEL_WAITING, [...at, text, this.now()]);
      if (ended !== undefined) {
        if (Math.random() * TRIM_ONE_IN < 1) await this.trim(queue);
        return { kind: 'cancelled', text: ended.text };
      }
      const [found] = await this.ask<NotWaiting>(jobs.CANCEL_ACTIVE, [...at, text]);
      if (found === undefined) return { kind: 'unknown', text: null };
      if (found.over) return { kind: 'finished', text: null };
      // Between the statements the job may have been released, or its attempt may have appended to its journal.
      if (!found.waits) return { kind: 'signalled', text: found.text };
      const told = found.journalled ? await this.journals.cancel({ queue, taskId }, text) : null;
      if (told !== null) return { kind: 'signalled', text: told.text };
    }
  }

  async cancelTexts(places: readonly JobPlace[]): Promise<(string | null)[]> {
    const rows = await this.ask<{ text: string | null }>(jobs.CANCEL_TEXTS, this.columns(places));
    return rows.map(({ text }) => text);
  }

  /** {@link cancelledCount} recognises a cancelled job by its failure text. */
  async noteCancelled(): Promise<void> {}

  async cancelledCount(queue: string): Promise<number> {
    const rows = await this.ask<{ count: string }>(jobs.COUNT_CANCELLED, [this.named(queue), CANCELLED]);
    return Number(rows[0]?.count);
  }

  async report(
    { queue, taskId }: JobPlace,
    token: string,
    progress: string | null,
    rows: readonly string[],
  ): Promise<void> {
    await this.ask(jobLog.REPORT, [this.named(queue), taskId, token, progress, rows, MAX_LOG_LINES]);
  }

  async countStart({ queue, taskId }: JobPlace, token: string): Promise<number> {
    const values = [this.named(queue), taskId, token];
    const [row] = await this.ask<{ counted: number }>(jobs.COUNT_START, values);
    return row?.counted ?? 0;
  }

  async remove({ queue, taskId }: JobPlace): Promise<boolean> {
    return (await this.ask(jobs.REMOVE, [this.named(queue), taskId])).length > 0;
  }

  async dropFinished(queue: string, taskIds: readonly string[], until: number): Promise<void> {
    await this.ask(jobs.DROP_FINISHED, [this.named(queue), taskIds, until]);
  }

  async submissions(queue: string, taskIds: readonly string[]): Promise<(string | null)[]> {
    const columns = this.columns(taskIds.map((taskId) => ({ queue, taskId })));
    const rows = await this.ask<{ submission: string | null }>(jobs.SUBMISSIONS, columns);
    return rows.map(({ submission }) => submission);
  }

  async retry({ queue, taskId }: JobPlace): Promise<boolean> {
    const values = [this.named(queue), taskId, CANCELLED, this.now()];
    return (await this.ask(jobs.RETRY, values)).length > 0;
  }

  async bulk(
    queue: string,
    source: BulkSource,
    call: BulkCall,
    position: string | null,
  ): Promise<BulkAnswer> {
    const size = this.sizes[call.dryRun ? 'count' : call.kind];
    const limit = size.next;
    const { sql, values } = bulk.step(this.named(queue), source, call, position, limit, this.now());
    const started = performance.now();
    const [row] = (await this.ask<bulk.StepRow>(sql, values)) as [bulk.StepRow];
    size.took(row.read, performance.now() - started);
    const next = bulk.positionAfter(row, limit);
    const found = row.changes ?? [];
    const changes: BulkChange[] = [];
    for (const change of found) {
      const changed =
        change.kind === bulk.JOURNALLED ? await this.tell(queue, change.taskId, call.text) : change;
      if (changed !== null) changes.push(changed);
    }
    // The jobs are cancelled, whatever becomes of older ones. The next cancellations delete those.
    if (call.kind === 'cancel' && !call.dryRun)
      await this.trimAfter(queue, row.count, next === null).catch(() => undefined);
    return { position: next, count: row.count - (found.length - changes.length), changes };
  }

  private async tell(queue: string, taskId: string, text: string): Promise<BulkChange | null> {
    const told = await this.journals.cancel({ queue, taskId }, text);
    return told && { kind: 'signalled', taskId, taskName: '', retries: 0, text: told.text ?? '' };
  }

  async debounce(queue: string, key: string, { data, delay }: Debounced): Promise<string | null> {
    const of = [this.named(queue), key];
    const now = this.now();
    const values = [...of, data, delay, now + delay, now];
    const [holder] = await this.ask<{ id: string; moved: boolean }>(dedup.DEBOUNCE, values);
    if (holder === undefined) return null;
    if (holder.moved) return holder.id;
    // The job was started or is not delayed, and stays so: this frees no other key.
    await this.ask(dedup.FREE_KEY, [...of, holder.id]);
    return null;
  }

  /** The columns have types: BullMQ can read every job. */
  async salvage(): Promise<null> {
    return null;
  }

  async repair(): Promise<number> {
    return 0;
  }

  async repairOne(): Promise<void> {}

  async list(queue: string, list: JobList, offset: number, count: number): Promise<string[]> {
    const rows = await this.ask<{ id: string }>(jobs.LISTS[list], [this.named(queue), offset, count]);
    return rows.map(({ id }) => id);
  }

  async delays(places: readonly JobPlace[]): Promise<Delayed[]> {
    const values = [...this.columns(places), Math.trunc(this.now())];
    const rows = await this.ask<{ due: string | null; suspended: boolean | null }>(jobs.DELAYS, values);
    return rows.map(({ due, suspended }) =>
      due === null ? NOT_DELAYED : delayedAt(Number(due), suspended === true),
    );
  }

  private async trimAfter(queue: string, cancelled: number, isLast: boolean): Promise<void> {
    const untrimmed = (this.untrimmed.get(queue) ?? 0) + cancelled;
    this.untrimmed.set(queue, untrimmed);
    if (untrimmed === 0 || (untrimmed < TRIM_EVERY && !isLast)) return;
    this.untrimmed.delete(queue);
    await this.trim(queue);
  }

  /** Deletes the failed jobs that are not kept, in steps. */
  private async trim(queue: string): Promise<void> {
    const { age, count } = this.keep;
    const at = this.named(queue);
    const oldest = [at, count, this.now() - age * 1_000];
    const [newest] = (await this.ask<{ at: string; seq: string }>(jobs.NEWEST_TO_TRIM, oldest)) as [
      { at: string; seq: string },
    ];
    const size = this.sizes.remove;
    for (let deleted = Infinity, limit = 0; deleted >= limit;) {
      limit = size.next;
      const started = performance.now();
      deleted = (await this.ask(jobs.TRIM, [at, newest.at, newest.seq, limit])).length;
      size.took(deleted, performance.now() - started);
    }
  }

  private columns(places: readonly JobPlace[]): readonly string[][] {
    return [places.map(({ queue }) => this.named(queue)), places.map(({ taskId }) => taskId)];
  }

  private async ask<Row extends object>(statement: string, values: readonly unknown[]): Promise<Row[]> {
    return (await this.pool.query<Row>(statement, [...values])).rows;
  }
}
