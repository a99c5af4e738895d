import { nextState, type NextState, type Outcome } from '../../../job/outcome.js';
import { payloadToText } from '../../../job/payload/payload-text.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { Counters } from './counters.js';
import { type SqliteRow, timeAfter } from './job-row.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** The state of a job after an outcome, with its payloads in their stored form. */
export interface EncodedState extends Omit<NextState, 'errors' | 'result'> {
  readonly errors: string | null;
  readonly result: string | null;
}

/** Called before the transaction, so that the transaction is short. */
export function encodeOutcome(attempt: SqliteAttempt, outcome: Outcome, now: number): EncodedState {
  const state = nextState(attempt, outcome, now);
  return {
    ...state,
    errors: state.errors === attempt.errors ? attempt.row.errors : payloadToText(state.errors),
    result: state.status === 'success' ? payloadToText(state.result) : null,
  };
}

/**
 * The row of a finished job, without reading the file. `null` if the row may contain progress, which this attempt
 * or an earlier one has reported: then it must be read.
 */
export function finishedRow(
  { row, startedAt, reported }: SqliteAttempt,
  state: EncodedState,
): SqliteRow | null {
  if (reported || row.claims > 1) return null;
  return {
    id: row.id,
    task_id: row.task_id,
    task: row.task,
    status: state.status,
    queue: row.queue,
    priority: row.priority,
    due_at: null,
    retries: row.retries,
    submitted_at: row.submitted_at,
    started_at: startedAt,
    finished_at: state.finishedAt,
    errors: state.errors,
    result: state.result,
    reason: state.reason,
    progress: null,
    metadata: row.metadata,
    // Results do not show tags.
    tags: null,
  };
}

/** Stores outcomes of attempts. Result and acknowledgement are columns of one row. */
export class OutcomeWrites {
  private readonly finish;
  private readonly finishRare;
  private readonly wait;
  private readonly cancelling;

  constructor(
    database: SqliteDatabase,
    private readonly counters: Counters,
  ) {
    const isCurrent = `id = ? AND claims = ? AND status = 'running'`;
    this.finish = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, started_at = ?, finished_at = ?, finish_order = ?,
                       errors = ?, result = ?, reason = ?
       WHERE ${isCurrent}`,
    );
    this.finishRare = database.prepare('UPDATE jobs SET failed = ?, cancelling = NULL WHERE id = ?');
    this.wait = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, started_at = ?, place = ?, due_at = ?,
                       errors = ?, retries = ?, rescues = ?
       WHERE ${isCurrent} AND cancelling IS NULL`,
    );
    this.cancelling = database.prepare<{ cancelling: string | null }>(
      `SELECT cancelling FROM jobs WHERE ${isCurrent}`,
    );
  }

  /**
   * Returns the stored state: the given one or, if the job was to wait again and has been cancelled meanwhile,
   * `cancelled`. `null`, and nothing changes, if another worker has claimed the job.
   */
  settle(attempt: SqliteAttempt, state: EncodedState, now: number): EncodedState | null {
    return state.finishedAt === null ? this.waitAgain(attempt, state, now) : this.end(attempt, state);
  }

  private end({ row, startedAt, signalled }: SqliteAttempt, state: EncodedState): EncodedState | null {
    const { status, finishedAt, errors, result, reason } = state;
    const order = this.counters.next();
    const params = [status, startedAt, finishedAt, order, errors, result, reason, row.id, row.claims];
    if (this.finish.run(...params) === 0) return null;
    // A second statement: setting these columns, even from NULL to NULL, would slow down every job.
    if (status !== 'success' || signalled) this.finishRare.run(status === 'failed' ? 1 : null, row.id);
    this.counters.move(row.queue, 'running', status);
    return state;
  }

  private waitAgain(attempt: SqliteAttempt, state: EncodedState, now: number): EncodedState | null {
    const { row, startedAt } = attempt;
    const { status, delay, first } = state;
    const place = first ? row.id : this.counters.next();
    const done = this.wait.run(
      status,
      startedAt,
      delay > 0 ? null : place,
      delay > 0 ? timeAfter(now, delay) : null,
      state.errors,
      state.retries,
      first ? row.rescues : 0,
      row.id,
      row.claims,
    );
    if (done === 0) return this.endIfCancelled(attempt, state, now);
    this.counters.move(row.queue, 'running', status);
    return state;
  }

  /** A cancelled job does not run again, even if its worker does not know of the cancellation. */
  private endIfCancelled(attempt: SqliteAttempt, { errors }: EncodedState, now: number): EncodedState | null {
    const { id, claims } = attempt.row;
    const reason = this.cancelling.get(id, claims)?.cancelling ?? null;
    if (reason === null) return null;
    const cancelled = encodeOutcome(attempt, { kind: 'cancelled', reason }, now);
    return this.end(attempt, { ...cancelled, errors });
  }
}
