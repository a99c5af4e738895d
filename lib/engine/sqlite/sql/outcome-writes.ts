import { waitingStatus } from '../../../job/job.js';
import { nextState, type NextState, type Outcome } from '../../../job/outcome.js';
import { payloadToText } from '../../../job/payload/payload-text.js';
import type { SqliteDatabase } from '../file/driver.js';
import type { Counters } from './counters.js';
import { type SqliteRow, timeAfter } from './job-row.js';
import type { JournalRows } from './journal-rows.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** The state of a job after an outcome, with its payloads in their stored form. */
export interface EncodedState extends Omit<NextState, 'errors' | 'result'> {
  readonly errors: string | null;
  readonly result: string | null;
}

/**
 * Called before the transaction, so that the transaction is short.
 *
 * @param posts The number of entries that were ever posted to the job's journal, for the outcome `suspended`.
 */
export function encodeOutcome(
  attempt: SqliteAttempt,
  outcome: Outcome,
  now: number,
  posts = 0,
): EncodedState {
  const state = nextState(attempt, outcome, now, posts);
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
    private readonly journals: JournalRows,
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
    this.cancelling = database.prepare<{ cancelling: string | null; appended: number | null }>(
      `SELECT cancelling, appended FROM jobs WHERE ${isCurrent}`,
    );
  }

  /**
   * Returns the stored state: the given one or, if the job was to wait again and has been cancelled meanwhile,
   * `cancelled`. A cancelled job with a journal waits: its next attempt undoes its steps. `null`, and nothing
   * changes, if another worker has claimed the job.
   */
  settle(attempt: SqliteAttempt, state: EncodedState, now: number): EncodedState | null {
    return state.finishedAt === null ? this.waitAgain(attempt, state, now) : this.end(attempt, state);
  }

  private end({ row, startedAt, cancelReason }: SqliteAttempt, state: EncodedState): EncodedState | null {
    const { status, finishedAt, errors, result, reason } = state;
    const order = this.counters.next();
    const params = [status, startedAt, finishedAt, order, errors, result, reason, row.id, row.claims];
    if (this.finish.run(...params) === 0) return null;
    // A second statement: setting these columns, even from NULL to NULL, would slow down every job.
    if (status !== 'success' || cancelReason !== null)
      this.finishRare.run(status === 'failed' ? 1 : null, row.id);
    this.counters.move(row.queue, 'running', status);
    return state;
  }

  private waitAgain(attempt: SqliteAttempt, state: EncodedState, now: number): EncodedState | null {
    if (this.storeWait(attempt, state, now)) return state;
    const { id, claims } = attempt.row;
    const { cancelling: reason = null, appended = null } = this.cancelling.get(id, claims) ?? {};
    if (reason === null) return null;
    if (appended === null) {
      // A cancelled job does not run again, even if its worker does not know of the cancellation.
      const cancelled = encodeOutcome(attempt, { kind: 'cancelled', reason }, now);
      return this.end(attempt, { ...cancelled, errors: state.errors });
    }
    // Its next attempt finds the cancellation in the journal, and undoes its steps.
    const isNew = this.journals.postCancellation(id, reason);
    const due = { ...state, status: waitingStatus(state.retries), delay: 0 };
    return this.storeWait(attempt, isNew ? due : state, now) ? state : null;
  }

  /** Returns `false`, and changes nothing, if the job has been cancelled or another worker has claimed it. */
  private storeWait({ row, startedAt }: SqliteAttempt, state: EncodedState, now: number): boolean {
    const { status, delay, first } = state;
    const place = first ? row.id : this.counters.next();
    const done = this.wait.run(
      status,
      startedAt,
      delay > 0 ? null : place,
      delay > 0 && delay !== Infinity ? timeAfter(now, delay) : null,
      state.errors,
      state.retries,
      first ? row.rescues : 0,
      row.id,
      row.claims,
    );
    if (done === 0) return false;
    this.counters.move(row.queue, 'running', status);
    return true;
  }
}
