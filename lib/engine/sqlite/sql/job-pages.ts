import { badCursor, type JobQuery } from '../../../job/query.js';
import type { TaskStatus } from '../../../job/job.js';
import type { SqliteDatabase, SqliteStatement, SqlValue } from '../file/driver.js';
import { ROW_COLUMNS, type SqliteRow } from './job-row.js';

/** The most rows that are read for one page. */
const MAX_READ = 5_000;

/** A page of rows, newest first. */
export interface SqlitePage {
  readonly rows: readonly SqliteRow[];
  readonly cursor: string | null;
}

/** An index to search, and the condition under which it contains a job. */
interface Source {
  readonly from: string;
  readonly condition: string;
  /** The column by which the index is sorted. */
  readonly id: 'id' | 'job';
}

const ALL: Source = { from: 'jobs', condition: '1', id: 'id' };
const FAILED: Source = { from: 'jobs INDEXED BY jobs_failed', condition: 'failed IS NOT NULL', id: 'id' };
const RUNNING: Source = {
  from: 'jobs INDEXED BY jobs_leased',
  condition: 'leased_until IS NOT NULL',
  id: 'id',
};
/** A cross join, so that SQLite reads the rows of the tag and then their jobs. */
const TAGGED: Source = { from: 'job_tags CROSS JOIN jobs ON id = job', condition: 'tag = ?', id: 'job' };

/** Lists jobs page by page. */
export class JobPages {
  private readonly running;
  /** By text: queries differ only in their conditions. */
  private readonly statements = new Map<string, SqliteStatement<SqliteRow>>();
  private readonly lowest = new Map<Source, SqliteStatement<{ id: number }>>();

  constructor(private readonly database: SqliteDatabase) {
    this.running = database.prepare<{ jobs: number | null }>(
      `SELECT sum(jobs) AS jobs FROM counts WHERE status = 'running'`,
    );
  }

  /**
   * Reads the next page.
   *
   * @param statuses The statuses to search for in the file; `undefined` for any.
   * @param expired Jobs that finished at this time or before are left out.
   */
  page(query: JobQuery, statuses: readonly TaskStatus[] | undefined, expired: number): SqlitePage {
    const source = query.tag === undefined ? this.sourceFor(statuses) : TAGGED;
    const of = query.tag === undefined ? [] : [query.tag];
    const before = idFrom(query.cursor);
    const next = this.firstUnread(source, of, before);
    const { sql, params } = conditions(query, statuses);
    const rows = this.statement(source, sql).all(...of, before, next, expired, ...params, query.limit);
    if (rows.length === query.limit) return { rows, cursor: cursorBefore((rows.at(-1) as SqliteRow).id) };
    return { rows, cursor: next > 0 ? cursorBefore(next + 1) : null };
  }

  private sourceFor(statuses: readonly TaskStatus[] | undefined): Source {
    if (statuses?.length !== 1) return ALL;
    if (statuses[0] === 'failed') return FAILED;
    // The index of leases is not sorted by id, so all of it is read: only a small one is used.
    return statuses[0] === 'running' && (this.running.get()?.jobs ?? 0) <= MAX_READ ? RUNNING : ALL;
  }

  /** The highest row that is not read for this page; 0 if all are read. */
  private firstUnread(source: Source, of: readonly string[], before: number): number {
    if (source === RUNNING) return 0;
    let statement = this.lowest.get(source);
    if (statement === undefined) {
      statement = this.database.prepare<{ id: number }>(
        `SELECT id FROM ${source.from} WHERE ${source.condition} AND ${source.id} < ?
         ORDER BY ${source.id} DESC LIMIT 1 OFFSET ${MAX_READ}`,
      );
      this.lowest.set(source, statement);
    }
    return statement.get(...of, before)?.id ?? 0;
  }

  private statement(source: Source, filter: string): SqliteStatement<SqliteRow> {
    const sql = `SELECT ${ROW_COLUMNS} FROM ${source.from}
      WHERE ${source.condition} AND ${source.id} < ? AND ${source.id} > ? AND (finished_at IS NULL OR finished_at > ?)${filter}
      ORDER BY ${source.id} DESC LIMIT ?`;
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare<SqliteRow>(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

function conditions(
  { task, queue, from, to, finishedBefore }: JobQuery,
  statuses: readonly TaskStatus[] | undefined,
): { sql: string; params: SqlValue[] } {
  const status = statuses === undefined ? undefined : JSON.stringify(statuses);
  const all: (readonly [string, SqlValue | undefined])[] = [
    ['status IN (SELECT value FROM json_each(?))', status],
    ['task = ?', task],
    ['queue = ?', queue],
    ['submitted_at >= ?', from],
    ['submitted_at < ?', to],
    ['finished_at < ?', finishedBefore],
  ];
  const used = all.filter(([, value]) => value !== undefined);
  return {
    sql: used.map(([condition]) => ` AND ${condition}`).join(''),
    params: used.map(([, value]) => value as SqlValue),
  };
}

/** The next page contains rows below this one. */
function cursorBefore(id: number): string {
  return id.toString(36);
}

function idFrom(cursor: string | null): number {
  if (cursor === null) return Number.MAX_SAFE_INTEGER;
  if (/^[0-9a-z]{1,10}$/.test(cursor)) return parseInt(cursor, 36);
  throw badCursor(cursor);
}
