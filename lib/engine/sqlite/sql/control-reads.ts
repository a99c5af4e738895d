import type { TaskStatus } from '../../../job/status.js';
import { badCursor, type JobQuery } from '../../../job/query.js';
import type { LogLine } from '../../../job/job.js';
import type { SqliteDatabase, SqliteStatement, SqlValue } from '../file/driver/driver.js';
import { INFO_COLUMNS, type InfoRow } from './job-row.js';
import type { SqliteIds } from '../sqlite-id.js';

/** How many jobs are looked at for one page, whatever is asked for. */
const MAX_LOOKED_AT = 5_000;

/** A page of rows, newest first. */
export interface RowPage {
  readonly rows: readonly InfoRow[];
  readonly cursor: string | null;
}

export interface CountRow {
  readonly queue: string;
  readonly status: TaskStatus;
  readonly jobs: number;
}

/** Where jobs are looked for: through which index, and the condition under which it holds them. */
interface Source {
  readonly from: string;
  readonly condition: string;
}

const ALL: Source = { from: 'jobs', condition: '1' };
const FAILED: Source = { from: 'jobs INDEXED BY jobs_failed', condition: 'failed IS NOT NULL' };
const RUNNING: Source = { from: 'jobs INDEXED BY jobs_leased', condition: 'leased_until IS NOT NULL' };

/** What operators ask of the file. */
export class ControlReads {
  private readonly byRow;
  private readonly byChosenId;
  private readonly args;
  private readonly logs;
  private readonly counts;
  private readonly running;
  /** By their text: queries differ in which conditions they have, and in nothing else. */
  private readonly statements = new Map<string, SqliteStatement<InfoRow>>();
  private readonly lowest = new Map<Source, SqliteStatement<{ id: number }>>();

  constructor(
    private readonly database: SqliteDatabase,
    private readonly ids: SqliteIds,
  ) {
    this.byRow = database.prepare<InfoRow>(`SELECT ${INFO_COLUMNS} FROM jobs WHERE id = ?`);
    this.byChosenId = database.prepare<InfoRow>(
      `SELECT ${INFO_COLUMNS} FROM jobs WHERE task_id = ? AND chosen = 1`,
    );
    this.args = database.prepare<{ args: string | null }>(
      'SELECT coalesce(jobs.args, large_args.args) AS args FROM jobs LEFT JOIN large_args ON job = id WHERE id = ?',
    );
    this.logs = database.prepare<LogLine>('SELECT at, attempt, line FROM logs WHERE job = ? ORDER BY number');
    this.counts = database.prepare<CountRow>('SELECT queue, status, jobs FROM counts');
    this.running = database.prepare<{ jobs: number | null }>(
      `SELECT sum(jobs) AS jobs FROM counts WHERE status = 'running'`,
    );
  }

  find(taskId: string): InfoRow | undefined {
    const row = this.ids.rowOf(taskId);
    const found = row < 0 ? undefined : this.byRow.get(row);
    return found?.task_id === taskId ? found : this.byChosenId.get(taskId);
  }

  at(id: number): InfoRow | undefined {
    return this.byRow.get(id);
  }

  /** `null` if they are not there any more. */
  argsOf(id: number): string | null {
    return this.args.get(id)?.args ?? null;
  }

  logsOf(id: number): LogLine[] {
    return this.logs.all(id);
  }

  allCounts(): CountRow[] {
    return this.counts.all();
  }

  /**
   * The next page of jobs.
   *
   * @param statuses What the rows may say, `undefined` for anything.
   * @param expired Jobs that finished at that time or before are left out.
   */
  page(query: JobQuery, statuses: readonly TaskStatus[] | undefined, expired: number): RowPage {
    const source = this.sourceFor(statuses);
    const before = idFrom(query.cursor);
    const next = this.notLookedAt(source, before);
    const { sql, params } = conditions(query, statuses);
    const rows = this.statement(source, sql).all(before, next, expired, ...params, query.limit);
    if (rows.length === query.limit) return { rows, cursor: cursorBefore((rows.at(-1) as InfoRow).id) };
    return { rows, cursor: next > 0 ? cursorBefore(next + 1) : null };
  }

  private sourceFor(statuses: readonly TaskStatus[] | undefined): Source {
    if (statuses?.length !== 1) return ALL;
    if (statuses[0] === 'failed') return FAILED;
    // That index is in no order of use here, so all it holds is looked at.
    return statuses[0] === 'running' && (this.running.get()?.jobs ?? 0) <= MAX_LOOKED_AT ? RUNNING : ALL;
  }

  /** The first row that is not looked at any more; 0 if all are. */
  private notLookedAt(source: Source, before: number): number {
    if (source === RUNNING) return 0;
    let statement = this.lowest.get(source);
    if (statement === undefined) {
      statement = this.database.prepare<{ id: number }>(
        `SELECT id FROM ${source.from} WHERE ${source.condition} AND id < ?
         ORDER BY id DESC LIMIT 1 OFFSET ${MAX_LOOKED_AT}`,
      );
      this.lowest.set(source, statement);
    }
    return statement.get(before)?.id ?? 0;
  }

  private statement(source: Source, filter: string): SqliteStatement<InfoRow> {
    const sql = `SELECT ${INFO_COLUMNS} FROM ${source.from}
      WHERE ${source.condition} AND id < ? AND id > ? AND (finished_at IS NULL OR finished_at > ?)${filter}
      ORDER BY id DESC LIMIT ?`;
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare<InfoRow>(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

function conditions(
  { task, queue, from, to }: JobQuery,
  statuses: readonly TaskStatus[] | undefined,
): { sql: string; params: SqlValue[] } {
  const status = statuses === undefined ? undefined : JSON.stringify(statuses);
  const given: (readonly [string, SqlValue | undefined])[] = [
    ['status IN (SELECT value FROM json_each(?))', status],
    ['task = ?', task],
    ['queue = ?', queue],
    ['submitted_at >= ?', from],
    ['submitted_at < ?', to],
  ];
  const used = given.filter(([, value]) => value !== undefined);
  return {
    sql: used.map(([condition]) => ` AND ${condition}`).join(''),
    params: used.map(([, value]) => value as SqlValue),
  };
}

/** The next page holds rows below that one. */
function cursorBefore(id: number): string {
  return id.toString(36);
}

function idFrom(cursor: string | null): number {
  if (cursor === null) return Number.MAX_SAFE_INTEGER;
  if (/^[0-9a-z]{1,10}$/.test(cursor)) return parseInt(cursor, 36);
  throw badCursor(cursor);
}
