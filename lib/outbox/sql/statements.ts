import type { SqlDialect } from '../../engine/sql-connection.js';
import { DIALECTS } from './dialects.js';
import { channelOf, type TableNames, tablesOf } from './schema.js';

/** The statements of an outbox, in the SQL of its database, each with the order of its values. */
export type Statements = ReturnType<typeof statementsOf>;

export function statementsOf(name: SqlDialect, names: TableNames) {
  const dialect = DIALECTS[name];
  const { jobs, once, version } = tablesOf(dialect, names);
  const { now, ignore, updateByKey, deleteByKey, placed } = dialect;
  // Each named by one word: postgres.js may be told to rename others. `age` is in milliseconds.
  const columns = `seq, id, job, status, tries, error, cancel_reason AS reason, same_as AS holder, created_at AS created, ${now} - created_at AS age`;
  const isDue = `status = 'waiting' AND due_at <= ${now}`;
  // PostgreSQL evaluates a subquery once, and a function for each row.
  const timeOnce = (sql: string): string => sql.replaceAll(now, `(SELECT ${now})`);
  const ofClaim = (rows: number): string => `claim = ? AND seq IN (${places(rows)})`;
  // A locking read sees the row that another transaction has committed meanwhile.
  const lock = name === 'sqlite' ? '' : ' FOR UPDATE';

  return {
    readVersion: placed(`SELECT version FROM ${version}`),

    /** Of an id, a task and a job for each row. With `notify`, PostgreSQL tells the relays at the commit. */
    insert(rows: number, notify: boolean): string {
      const values = Array.from({ length: rows }, () => `(?, ?, ?, ${now}, ${now})`).join(', ');
      const insert = `INSERT INTO ${jobs} (id, task, job, created_at, due_at) VALUES ${values} ${ignore('id')}`;
      if (!notify || name !== 'postgres') return placed(insert);
      return placed(
        `WITH added AS (${insert} RETURNING 1) SELECT pg_notify('${channelOf(names)}', '')::text`,
      );
    },

    /** Of an id. */
    find: placed(`SELECT ${columns} FROM ${jobs} WHERE id = ?`),

    /** Of a number of rows. */
    due: placed(`SELECT seq FROM ${jobs} WHERE ${isDue} ORDER BY seq LIMIT ?`),

    /** Of a claim, milliseconds, and the sequence numbers of rows. */
    claim: (rows: number): string =>
      placed(
        `${updateByKey(jobs)} SET claim = ?, due_at = ${now} + ? WHERE seq IN (${places(rows)}) AND ${isDue}`,
      ),

    /** Of a claim and the sequence numbers of rows. */
    claimed: (rows: number): string => placed(`SELECT ${columns} FROM ${jobs} WHERE ${ofClaim(rows)}`),

    /** Of a claim, milliseconds, and a number of rows: for PostgreSQL, whose relays skip rows that others are claiming. */
    claimFree: placed(
      timeOnce(
        `UPDATE ${jobs} SET claim = ?, due_at = ${now} + ? WHERE seq = ANY (ARRAY(SELECT seq FROM ${jobs} WHERE ${isDue} ORDER BY seq LIMIT ? FOR UPDATE SKIP LOCKED)) RETURNING ${columns}`,
      ),
    ),

    /** Of milliseconds, a claim, and the sequence numbers of rows. */
    renew: (rows: number): string =>
      placed(`${updateByKey(jobs)} SET due_at = ${now} + ? WHERE ${ofClaim(rows)}`),

    /** Of milliseconds, a claim, and the sequence numbers of rows. */
    release: (rows: number): string =>
      placed(`${updateByKey(jobs)} SET due_at = ${now} + ?, claim = NULL WHERE ${ofClaim(rows)}`),

    /** Of the sequence numbers of the rows. A row that was cancelled meanwhile stays. */
    remove: (rows: number): string =>
      placed(`${deleteByKey(jobs)} WHERE seq IN (${places(rows)}) AND cancel_reason IS NULL`),

    /** Of the sequence numbers of the rows, whose jobs were cancelled, or for which other jobs stand. */
    removeSpent: (rows: number): string =>
      placed(
        `${deleteByKey(jobs)} WHERE seq IN (${places(rows)}) AND (cancel_reason IS NOT NULL OR status = 'same')`,
      ),

    /** Of milliseconds, an error, an id and a claim: a row that was cancelled meanwhile has none. */
    retryLater: placed(
      `UPDATE ${jobs} SET due_at = ${now} + ?, claim = NULL, tries = tries + 1, error = ? WHERE id = ? AND claim = ?`,
    ),

    /** Of an error, an id and a claim: a row that was cancelled meanwhile has none. */
    park: placed(
      `UPDATE ${jobs} SET status = 'stuck', claim = NULL, tries = tries + 1, error = ? WHERE id = ? AND claim = ?`,
    ),

    /** Of the id of the other job and an id. */
    setSame: placed(
      `UPDATE ${jobs} SET status = 'same', claim = NULL, same_as = ? WHERE id = ? AND cancel_reason IS NULL`,
    ),

    /** Of a reason and an id. */
    cancel: placed(
      `UPDATE ${jobs} SET cancel_reason = ?, status = 'waiting', claim = NULL, due_at = ${now} WHERE id = ? AND status <> 'same' AND cancel_reason IS NULL`,
    ),

    /** After a sequence number, a number of rows. */
    stuck: placed(`SELECT ${columns} FROM ${jobs} WHERE status = 'stuck' AND seq > ? ORDER BY seq LIMIT ?`),

    /** Of an id. */
    unpark: placed(
      `UPDATE ${jobs} SET status = 'waiting', due_at = ${now}, tries = 0, error = NULL WHERE id = ? AND status = 'stuck'`,
    ),

    /** Of an id. */
    removeStuck: placed(`DELETE FROM ${jobs} WHERE id = ? AND status = 'stuck'`),

    countStuck: placed(`SELECT COUNT(*) AS stuck FROM ${jobs} WHERE status = 'stuck'`),

    oldest: placed(
      `SELECT ${now} - created_at AS age FROM ${jobs} WHERE status = 'waiting' ORDER BY seq LIMIT 1`,
    ),

    /** Of an age in milliseconds, and a number of rows. */
    oldSame: placed(
      `SELECT seq, id FROM ${jobs} WHERE status = 'same' AND created_at < ${now} - ? ORDER BY seq LIMIT ?`,
    ),

    /** Of a job, a name, a claim, and milliseconds. */
    enterOnce: placed(
      `INSERT INTO ${once} (job, name, claim, created_at, check_at) VALUES (?, ?, ?, ${now}, ${now} + ?) ${ignore('job')}${name === 'mysql' ? '' : ' RETURNING claim'}`,
    ),

    /** Of a job and a name. */
    readOnce: placed(`SELECT claim, result FROM ${once} WHERE job = ? AND name = ?${lock}`),

    /** Of a result, a job and a name. */
    storeOnce: placed(`UPDATE ${once} SET result = ? WHERE job = ? AND name = ?`),

    /** Of a number of rows, whose jobs are read. MySQL takes a limit only in a table of its own. */
    oldOnce: placed(
      `SELECT job, MAX(created_at) AS newest, ${now} AS now FROM ${once} WHERE job IN (SELECT job FROM (SELECT job FROM ${once} WHERE check_at <= ${now} ORDER BY check_at LIMIT ?) AS page) GROUP BY job`,
    ),

    /** Of milliseconds and a job. */
    keepOnce: placed(`${updateByKey(once)} SET check_at = ${now} + ? WHERE job = ? AND check_at <= ${now}`),

    /** Of a job. */
    forgetOnce: placed(`${deleteByKey(once)} WHERE job = ? AND check_at <= ${now}`),
  };
}

function places(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}
