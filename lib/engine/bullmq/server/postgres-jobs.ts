import type { Pool } from 'pg';
import { MAX_LOG_LINES } from '../../../job/job.js';
import { CANCELLED, type Kept } from '../job-mapping.js';
import * as statements from './postgres-statements.js';
import type { Cancelled, Debounced, JobList, JobPlace, ServerJobs } from './server-jobs.js';

/** One in so many cancelled jobs has the old ones dropped: that costs more than to cancel does. */
const TRIMMED_ONE_IN = 50;

/** A job that could not be cancelled as one that waits. */
interface Found {
  readonly text: string | null;
  readonly waits: boolean;
  readonly over: boolean;
}

/** {@link ServerJobs} by statements of our own on BullMQ's tables. */
export class PostgresJobs implements ServerJobs {
  /** @param named What BullMQ calls a queue. */
  constructor(
    private readonly pool: Pool,
    private readonly named: (queue: string) => string,
    private readonly keep: Kept,
    private readonly now: () => number,
  ) {}

  async cancel({ queue, taskId }: JobPlace, text: string): Promise<Cancelled> {
    const at = [this.named(queue), taskId];
    for (;;) {
      const [ended] = await this.ask<{ text: string }>(statements.CANCEL_WAITING, [...at, text, this.now()]);
      if (ended !== undefined) {
        if (Math.random() * TRIMMED_ONE_IN < 1) await this.trim(at);
        return { kind: 'cancelled', text: ended.text };
      }
      const [found] = await this.ask<Found>(statements.CANCEL_ACTIVE, [...at, text]);
      if (found === undefined) return { kind: 'unknown', text: null };
      if (found.over) return { kind: 'finished', text: null };
      // Between the two it may have been put back.
      if (!found.waits) return { kind: 'told', text: found.text };
    }
  }

  async requested(places: readonly JobPlace[]): Promise<(string | null)[]> {
    const rows = await this.ask<{ text: string | null }>(statements.REQUESTED, this.columns(places));
    return rows.map(({ text }) => text);
  }

  /** The text says it. */
  async noteCancelled(): Promise<void> {}

  async cancelledCount(queue: string): Promise<number> {
    const rows = await this.ask<{ count: string }>(statements.COUNT_CANCELLED, [
      this.named(queue),
      CANCELLED,
    ]);
    return Number(rows[0]?.count);
  }

  async report(
    { queue, taskId }: JobPlace,
    token: string,
    progress: string | null,
    rows: readonly string[],
  ): Promise<void> {
    await this.ask(statements.REPORT, [this.named(queue), taskId, token, progress, rows, MAX_LOG_LINES]);
  }

  async countStart({ queue, taskId }: JobPlace, token: string): Promise<number> {
    const values = [this.named(queue), taskId, token];
    const [row] = await this.ask<{ counted: number }>(statements.COUNT_START, values);
    return row?.counted ?? 0;
  }

  async remove({ queue, taskId }: JobPlace): Promise<boolean> {
    return (await this.ask(statements.REMOVE, [this.named(queue), taskId])).length > 0;
  }

  async dropFinished(queue: string, taskIds: readonly string[], until: number): Promise<void> {
    await this.ask(statements.DROP_FINISHED, [this.named(queue), taskIds, until]);
  }

  async retry({ queue, taskId }: JobPlace): Promise<boolean> {
    const values = [this.named(queue), taskId, CANCELLED, this.now()];
    return (await this.ask(statements.RETRY, values)).length > 0;
  }

  async debounce(queue: string, key: string, { data, delay }: Debounced): Promise<string | null> {
    const of = [this.named(queue), key];
    const now = this.now();
    const values = [...of, data, delay, now + delay, now];
    const [standing] = await this.ask<{ id: string; moved: boolean }>(statements.DEBOUNCE, values);
    if (standing === undefined) return null;
    if (standing.moved) return standing.id;
    // What has once been started is never again a job that was not: no other one's key can be hit.
    await this.ask(statements.FREE_KEY, [...of, standing.id]);
    return null;
  }

  /** Its columns have types, so BullMQ can read whatever they hold. */
  async salvage(): Promise<null> {
    return null;
  }

  async repair(): Promise<number> {
    return 0;
  }

  async repairOne(): Promise<void> {}

  async list(queue: string, list: JobList, offset: number, count: number): Promise<string[]> {
    const rows = await this.ask<{ id: string }>(statements.LISTS[list], [this.named(queue), offset, count]);
    return rows.map(({ id }) => id);
  }

  async dueTimes(places: readonly JobPlace[]): Promise<(number | null)[]> {
    const rows = await this.ask<{ due: string | null }>(statements.DUE_TIMES, this.columns(places));
    return rows.map(({ due }) => (due === null ? null : Number(due)));
  }

  private async trim(at: readonly string[]): Promise<void> {
    const { age, count } = this.keep;
    await this.ask(statements.TRIM, [...at, this.now(), age, count]);
  }

  private columns(places: readonly JobPlace[]): readonly string[][] {
    return [places.map(({ queue }) => this.named(queue)), places.map(({ taskId }) => taskId)];
  }

  private async ask<Row extends object>(statement: string, values: readonly unknown[]): Promise<Row[]> {
    return (await this.pool.query<Row>(statement, [...values])).rows;
  }
}
