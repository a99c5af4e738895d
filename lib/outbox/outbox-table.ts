import type { MaybePromise } from '../job/async.js';
import { isPromise } from '../job/async.js';
import type { SqlRow, SqlValue } from '../engine/sql-connection.js';
import type { SqlConnection } from './connection/sql-connection.js';
import type { OutboxDatabase } from './outbox-database.js';
import { type IdentifiedJob, jobToText } from './outbox-job.js';
import type { Statements } from './sql/statements.js';

/** A job that no relay has submitted yet, as its row has it. */
export interface OutboxRow {
  readonly seq: number;
  readonly taskId: string;
  /** The job, as a text. */
  readonly job: string;
  /** Milliseconds since the submission, by the clock of the database. */
  readonly age: number;
  /** Milliseconds since the epoch, by the clock of the database. */
  readonly createdAt: number;
  /** The number of times that the job could not be submitted. */
  readonly tries: number;
  readonly error: string | null;
  /** Whether no relay submits the job any more, after too many tries. */
  readonly isStuck: boolean;
  /** Why the job was cancelled; `null` if it was not. */
  readonly cancelReason: string | null;
  /** The id of the job that holds the dedupe key of this one, which was not added; `null` for none. */
  readonly sameAs: string | null;
}

/** How many rows one statement inserts at most, and how many characters of jobs. */
const INSERT_ROWS = 1_000;
const INSERT_CHARACTERS = 1_000_000;

/** Writes the rows of jobs into a transaction of the application. */
export function insertJobs(
  connection: SqlConnection,
  statements: Statements,
  notify: boolean,
  jobs: readonly IdentifiedJob[],
): MaybePromise<void> {
  return inTurn(batchesOf(jobs), (batch) =>
    connection.run(statements.insert(batch.length / 3, notify), batch),
  );
}

function inTurn<T>(items: readonly T[], run: (item: T) => MaybePromise<unknown>): MaybePromise<void> {
  for (const [index, item] of items.entries()) {
    const running = run(item);
    if (isThenable(running)) return Promise.resolve(running).then(() => inTurn(items.slice(index + 1), run));
  }
}

/** Some libraries answer with promises of their own class. */
function isThenable(value: unknown): value is Promise<unknown> {
  return isPromise(value) || typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

/** The values of each statement: three for a row. */
function batchesOf(jobs: readonly IdentifiedJob[]): readonly string[][] {
  const batches: string[][] = [];
  let characters = Infinity;
  for (const job of jobs) {
    const text = jobToText(job);
    const last = batches.at(-1);
    const isFull = last === undefined || last.length >= 3 * INSERT_ROWS || characters > INSERT_CHARACTERS;
    characters = isFull ? text.length : characters + text.length;
    if (isFull) batches.push([job.taskId, job.taskName, text]);
    else last.push(job.taskId, job.taskName, text);
  }
  return batches;
}

/** The table of jobs, over the connection of the relay. */
export class OutboxTable {
  constructor(
    private readonly database: OutboxDatabase,
    private readonly statements: Statements,
  ) {}

  /**
   * Claims jobs that are due for a time: no other relay submits them meanwhile. If the database answers too late, they
   * are released.
   *
   * @returns the rows in the order of their insertion. They are all committed.
   */
  async claim(claim: string, leaseMs: number, limit: number): Promise<readonly OutboxRow[]> {
    const { statements } = this;
    if (this.database.dialect === 'postgres')
      return rowsOf(
        await this.run(statements.claimFree, [claim, leaseMs, limit], (rows) =>
          this.release(claim, 0, rowsOf(rows)),
        ),
      );
    for (;;) {
      const due = await this.run(statements.due, [limit]);
      if (due.length === 0) return [];
      const seqs = due.map((row) => Number(row.seq));
      await this.run(statements.claim(seqs.length), [claim, leaseMs, ...seqs], () =>
        this.release(
          claim,
          0,
          seqs.map((seq) => ({ seq })),
        ),
      );
      const claimed = rowsOf(await this.run(statements.claimed(seqs.length), [claim, ...seqs]));
      // Otherwise other relays have claimed all of them meanwhile, and there may be more.
      if (claimed.length > 0) return claimed;
    }
  }

  async renew(claim: string, leaseMs: number, rows: readonly OutboxRow[]): Promise<void> {
    await this.run(this.statements.renew(rows.length), [leaseMs, claim, ...seqsOf(rows)]);
  }

  /** Lets relays submit the jobs again, after some milliseconds. */
  async release(claim: string, delayMs: number, rows: readonly Pick<OutboxRow, 'seq'>[]): Promise<void> {
    if (rows.length > 0)
      await this.run(this.statements.release(rows.length), [delayMs, claim, ...seqsOf(rows)]);
  }

  /** Deletes the rows of jobs that the engine has. One that was cancelled meanwhile stays for the next claim. */
  async remove(rows: readonly Pick<OutboxRow, 'seq'>[]): Promise<void> {
    if (rows.length > 0) await this.run(this.statements.remove(rows.length), seqsOf(rows));
  }

  /** Deletes rows of jobs that have been cancelled in the engine too, or that other jobs stand for. */
  async removeSpent(rows: readonly Pick<OutboxRow, 'seq'>[]): Promise<void> {
    if (rows.length > 0) await this.run(this.statements.removeSpent(rows.length), seqsOf(rows));
  }

  async retryLater(claim: string, taskId: string, error: string, delayMs: number): Promise<void> {
    await this.run(this.statements.retryLater, [delayMs, error, taskId, claim]);
  }

  /** No relay submits the job any more, until {@link unpark}. */
  async park(claim: string, taskId: string, error: string): Promise<void> {
    await this.run(this.statements.park, [error, taskId, claim]);
  }

  /** The job was not added, since another one holds its dedupe key. */
  async setSame(taskId: string, sameAs: string): Promise<void> {
    await this.run(this.statements.setSame, [sameAs, taskId]);
  }

  async find(taskId: string): Promise<OutboxRow | null> {
    return rowsOf(await this.run(this.statements.find, [taskId]))[0] ?? null;
  }

  /** Notes that the job is to be cancelled. It changes nothing if the job has no row, or was cancelled. */
  async cancel(taskId: string, reason: string): Promise<void> {
    // PostgreSQL stores no text with this character.
    await this.run(this.statements.cancel, [reason.replaceAll('\0', '\ufffd'), taskId]);
  }

  async stuck(after: number, limit: number): Promise<readonly OutboxRow[]> {
    return rowsOf(await this.run(this.statements.stuck, [after, limit]));
  }

  async unpark(taskId: string): Promise<void> {
    await this.run(this.statements.unpark, [taskId]);
  }

  async removeStuck(taskId: string): Promise<void> {
    await this.run(this.statements.removeStuck, [taskId]);
  }

  /** The age of the oldest job that waits for a relay, in milliseconds; `null` for none. */
  async oldestAge(): Promise<number | null> {
    const [row] = await this.run(this.statements.oldest, []);
    return row === undefined ? null : Number(row.age);
  }

  async stuckCount(): Promise<number> {
    const [row] = await this.run(this.statements.countStuck, []);
    return Number(row?.stuck ?? 0);
  }

  /** Deletes some rows of jobs that other ones stand for, if they are older than `ageMs`. Returns their number. */
  async removeOldSame(ageMs: number, limit: number): Promise<number> {
    const rows = await this.run(this.statements.oldSame, [ageMs, limit]);
    await this.removeSpent(rows.map(({ seq }) => ({ seq: Number(seq) })));
    return rows.length;
  }

  private async run(
    sql: string,
    values: readonly SqlValue[],
    late?: (rows: readonly SqlRow[]) => unknown,
  ): Promise<readonly SqlRow[]> {
    return this.database.run(sql, values, late);
  }
}

function seqsOf(rows: readonly Pick<OutboxRow, 'seq'>[]): readonly number[] {
  return rows.map(({ seq }) => seq);
}

function rowsOf(rows: readonly SqlRow[]): readonly OutboxRow[] {
  return rows.map(rowFrom).sort((a, b) => a.seq - b.seq);
}

function rowFrom(row: SqlRow): OutboxRow {
  return {
    seq: Number(row.seq),
    taskId: String(row.id),
    job: String(row.job),
    age: Math.max(0, Number(row.age)),
    createdAt: Number(row.created),
    tries: Number(row.tries),
    error: textOf(row.error),
    isStuck: row.status === 'stuck',
    cancelReason: textOf(row.reason),
    sameAs: textOf(row.holder),
  };
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
