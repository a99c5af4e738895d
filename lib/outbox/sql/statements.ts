import type { SqlDialect } from '../../engine/sql-connection.js';
import { DIALECTS, type Dialect } from './dialects.js';
import { channelOf, type TableNames, tablesOf } from './schema.js';

/**
 * The columns of a job that waits for a relay, each named by one word: postgres.js may be told to rename others. `age` is
 * in milliseconds.
 */
const columns = ({ now }: Dialect): string =>
  `seq, id, job, due_at AS due, tries, error, cancel_reason AS reason, same_as AS holder, created_at AS created, ${now} - created_at AS age`;

/** The statements of an outbox, in the SQL of its database, each with the order of its values. */
export class Statements {
  readonly dialect: Dialect;
  private readonly jobs: string;
  private readonly once: string;
  private readonly version: string;

  constructor(
    private readonly name: SqlDialect,
    private readonly names: TableNames,
  ) {
    this.dialect = DIALECTS[name];
    const { jobs, once, version } = tablesOf(this.dialect, names);
    this.jobs = jobs;
    this.once = once;
    this.version = version;
    const { now } = this.dialect;
    const parked = 'due_at IS NULL AND same_as IS NULL';
    this.readVersion = this.sql(`SELECT version FROM ${version}`);
    this.find = this.sql(`SELECT ${columns(this.dialect)} FROM ${jobs} WHERE id = ?`);
    this.due = this.sql(`SELECT seq FROM ${jobs} WHERE due_at <= ${now} ORDER BY due_at, seq LIMIT ?`);
    this.claimFree = this.sql(
      `WITH free AS MATERIALIZED (SELECT seq AS taken FROM ${jobs} WHERE due_at <= ${now} ORDER BY due_at, seq LIMIT ? FOR UPDATE SKIP LOCKED) UPDATE ${jobs} SET claim = ?, due_at = ${now} + ? FROM free WHERE seq = taken RETURNING ${columns(this.dialect)}`,
    );
    this.retryLater = this.sql(
      `UPDATE ${jobs} SET due_at = ${now} + ?, claim = NULL, tries = tries + 1, error = ? WHERE id = ?`,
    );
    this.park = this.sql(
      `UPDATE ${jobs} SET due_at = NULL, claim = NULL, tries = tries + 1, error = ? WHERE id = ?`,
    );
    this.setSame = this.sql(
      `UPDATE ${jobs} SET due_at = NULL, claim = NULL, same_as = ? WHERE id = ? AND cancel_reason IS NULL`,
    );
    this.cancel = this.sql(
      `UPDATE ${jobs} SET cancel_reason = ?, due_at = ${now} WHERE id = ? AND same_as IS NULL AND cancel_reason IS NULL`,
    );
    this.stuck = this.sql(
      `SELECT ${columns(this.dialect)} FROM ${jobs} WHERE ${parked} AND seq > ? ORDER BY seq LIMIT ?`,
    );
    this.unpark = this.sql(
      `UPDATE ${jobs} SET due_at = ${now}, tries = 0, error = NULL WHERE id = ? AND ${parked}`,
    );
    this.removeStuck = this.sql(`DELETE FROM ${jobs} WHERE id = ? AND ${parked}`);
    this.oldest = this.sql(
      `SELECT ${now} - created_at AS age FROM ${jobs} WHERE due_at IS NOT NULL ORDER BY seq LIMIT 1`,
    );
    this.countStuck = this.sql(`SELECT COUNT(*) AS stuck FROM ${jobs} WHERE ${parked}`);
    this.oldSame = this.sql(
      `SELECT seq, id FROM ${jobs} WHERE same_as IS NOT NULL AND due_at IS NULL AND created_at < ${now} - ? LIMIT ?`,
    );
    this.enterOnce = this.sql(
      `INSERT INTO ${once} (job, name, claim, created_at, check_at) VALUES (?, ?, ?, ${now}, ${now} + ?) ${this.dialect.ignore('job')}${name === 'mysql' ? '' : ' RETURNING claim'}`,
    );
    // A locking read sees the row that another transaction has committed meanwhile.
    const lock = name === 'sqlite' ? '' : ' FOR UPDATE';
    this.readOnce = this.sql(`SELECT claim, result FROM ${once} WHERE job = ? AND name = ?${lock}`);
    this.storeOnce = this.sql(`UPDATE ${once} SET result = ? WHERE job = ? AND name = ?`);
    this.oldOnce = this.sql(
      `SELECT job, MAX(created_at) AS newest, ${now} AS now FROM ${once} WHERE check_at <= ${now} GROUP BY job LIMIT ?`,
    );
    this.keepOnce = this.sql(
      `${this.dialect.updateByKey(once)} SET check_at = ${now} + ? WHERE job = ? AND check_at <= ${now}`,
    );
    this.forgetOnce = this.sql(`${this.dialect.deleteByKey(once)} WHERE job = ? AND check_at <= ${now}`);
  }

  readonly readVersion: string;
  /** Of an id. */
  readonly find: string;
  /** Of a number of rows. */
  readonly due: string;
  /** Of a number of rows, a claim, and milliseconds: for PostgreSQL, whose relays skip rows that others are claiming. */
  readonly claimFree: string;
  /** Of milliseconds, an error and an id. */
  readonly retryLater: string;
  /** Of an error and an id. */
  readonly park: string;
  /** Of the id of the other job and an id. */
  readonly setSame: string;
  /** Of a reason and an id. */
  readonly cancel: string;
  /** After a sequence number, a number of rows. */
  readonly stuck: string;
  /** Of an id. */
  readonly unpark: string;
  /** Of an id. */
  readonly removeStuck: string;
  readonly oldest: string;
  readonly countStuck: string;
  /** Of an age in milliseconds, and a number of rows. */
  readonly oldSame: string;
  /** Of a job, a name, a claim, and milliseconds. */
  readonly enterOnce: string;
  /** Of a job and a name. */
  readonly readOnce: string;
  /** Of a result, a job and a name. */
  readonly storeOnce: string;
  /** Of a number of rows. */
  readonly oldOnce: string;
  /** Of milliseconds and a job. */
  readonly keepOnce: string;
  /** Of a job. */
  readonly forgetOnce: string;

  /** Of an id, a task and a job for each row. With `notify`, PostgreSQL tells the relays at the commit. */
  insert(rows: number, notify: boolean): string {
    const { now, ignore } = this.dialect;
    const values = Array.from({ length: rows }, () => `(?, ?, ?, ${now}, ${now})`).join(', ');
    const insert = `INSERT INTO ${this.jobs} (id, task, job, created_at, due_at) VALUES ${values} ${ignore('id')}`;
    if (!notify || this.name !== 'postgres') return this.sql(insert);
    return this.sql(
      `WITH added AS (${insert} RETURNING 1) SELECT pg_notify('${channelOf(this.names)}', '')::text`,
    );
  }

  /** Of a claim, milliseconds, and the sequence numbers of rows. */
  claim(rows: number): string {
    const { now } = this.dialect;
    return this.sql(
      `${this.dialect.updateByKey(this.jobs)} SET claim = ?, due_at = ${now} + ? WHERE seq IN (${places(rows)}) AND due_at <= ${now}`,
    );
  }

  /** Of a claim and the sequence numbers of rows. */
  claimed(rows: number): string {
    return this.sql(
      `SELECT ${columns(this.dialect)} FROM ${this.jobs} WHERE claim = ? AND seq IN (${places(rows)})`,
    );
  }

  /** Of milliseconds, a claim, and the sequence numbers of rows. */
  renew(rows: number): string {
    return this.sql(
      `${this.dialect.updateByKey(this.jobs)} SET due_at = ${this.dialect.now} + ? WHERE claim = ? AND seq IN (${places(rows)})`,
    );
  }

  /** Of milliseconds, a claim, and the sequence numbers of rows. */
  release(rows: number): string {
    return this.sql(
      `${this.dialect.updateByKey(this.jobs)} SET due_at = ${this.dialect.now} + ?, claim = NULL WHERE claim = ? AND seq IN (${places(rows)})`,
    );
  }

  /** Of the sequence numbers of the rows. A row that was cancelled meanwhile stays. */
  remove(rows: number): string {
    return this.deleteWhere(rows, 'cancel_reason IS NULL');
  }

  /** Of the sequence numbers of the rows, whose jobs were cancelled, or for which other jobs stand. */
  removeSpent(rows: number): string {
    return this.deleteWhere(rows, '(cancel_reason IS NOT NULL OR same_as IS NOT NULL)');
  }

  private deleteWhere(rows: number, condition: string): string {
    return this.sql(`${this.dialect.deleteByKey(this.jobs)} WHERE seq IN (${places(rows)}) AND ${condition}`);
  }

  private sql(text: string): string {
    return this.dialect.placed(text);
  }
}

function places(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}
