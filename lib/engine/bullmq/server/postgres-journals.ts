import type { Pool, PoolClient } from 'pg';
import { FlowrraConfigError } from '../../../job/errors.js';
import type { Journal, JournalEntry } from '../../../job/journal/journal.js';
import type { PostAnswer } from '../../journal-store.js';
import { dueAfter, type JobJournals, type JobPlace, type Resumed } from './job-journals.js';
import * as journal from './sql/journal.js';

const UNDEFINED_TABLE = '42P01';
const UNIQUE_VIOLATION = '23505';

/** Creates the table of journals, its trigger and its index unless it exists, which needs fewer rights. */
export async function prepareJournals(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ found: boolean }>(journal.EXISTS, [`"${schema}".flowrra_journal`]);
  if (rows[0]?.found !== true) await client.query(journal.create(schema));
}

/** {@link JobJournals} as statements on BullMQ's table of jobs, and on a table of Flowrra's own. */
export class PostgresJournals implements JobJournals {
  /** @param named Returns the queue's name in BullMQ. */
  constructor(
    private readonly pool: Pool,
    private readonly named: (queue: string) => string,
    private readonly now: () => number,
  ) {}

  async read(place: JobPlace): Promise<Journal | null> {
    const [row] = await this.ask<{ posts: number; entries: JournalEntry[] | null }>(journal.READ, place);
    return row === undefined ? null : { entries: row.entries ?? [], posts: row.posts };
  }

  async append(place: JobPlace, token: string, entries: readonly JournalEntry[]): Promise<boolean> {
    // One statement cannot write a row twice.
    const bodies = new Map(entries.map(({ key, body }) => [key, body]));
    const values = [token, [...bodies.keys()], [...bodies.values()]];
    return (await this.ask(journal.APPEND, place, ...values)).length > 0;
  }

  async post(place: JobPlace, { key, body }: JournalEntry, expired: number): Promise<PostAnswer> {
    const values = [key, body, this.now(), Math.max(expired, Number.MIN_SAFE_INTEGER)];
    try {
      const [row] = await this.ask<{ answer: PostAnswer }>(journal.POST, place, ...values);
      return row?.answer ?? 'unknown';
    } catch (error) {
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return 'known';
      throw error;
    }
  }

  async forget(place: JobPlace, keys: readonly string[], { key, body }: JournalEntry): Promise<boolean> {
    return (await this.ask(journal.FORGET, place, keys, key, body)).length > 0;
  }

  async suspend(place: JobPlace, token: string, delay: number, seen: number): Promise<boolean> {
    const now = this.now();
    return (await this.ask(journal.SUSPEND, place, token, dueAfter(delay, now), seen, now)).length > 0;
  }

  async resume(place: JobPlace): Promise<Resumed> {
    const [row] = await this.ask<{ resumed: boolean; text: string | null }>(journal.RESUME, place);
    return { isResumed: row?.resumed ?? false, cancelText: row?.text ?? null };
  }

  /**
   * Cancels a job to whose journal an attempt has appended; `null` if there is no such unfinished job.
   *
   * @returns The text for an active job; `null` as the text for one that waits.
   */
  async cancel(place: JobPlace, text: string): Promise<{ readonly text: string | null } | null> {
    const [row] = await this.ask<{ text: string | null }>(journal.CANCEL, place, text);
    return row ?? null;
  }

  async suspendedCount(queue: string): Promise<number> {
    const values = [this.named(queue), Math.trunc(this.now())];
    const { rows } = await this.pool.query<{ count: string }>(journal.COUNT_SUSPENDED, values);
    return Number(rows[0]?.count);
  }

  private async ask<Row extends object>(
    statement: string,
    { queue, taskId }: JobPlace,
    ...values: readonly unknown[]
  ): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>(statement, [this.named(queue), taskId, ...values])).rows;
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== UNDEFINED_TABLE) throw cause;
      throw new FlowrraConfigError(
        'The schema has no table of journals, so no job can have steps, waits and child jobs. Start one process with migrate: true, by a role that owns the tables of BullMQ.',
        { cause },
      );
    }
  }
}
