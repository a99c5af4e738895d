import { payloadToText } from '../../core/payload/payload-text.js';
import type { TaskStatus } from '../../core/task-result.js';
import { MAX_ERRORS } from '../../core/task-snapshot.js';
import type { AttemptError, Outcome } from '../engine.interface.js';
import type { SqliteDatabase } from './driver/driver.interface.js';
import type { ResultRow } from './job-row.js';
import type { Ledger } from './ledger.js';
import { timeAfter } from './time-after.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** An outcome whose parts have been put into the form in which they are stored. */
export interface StoredOutcome {
  readonly outcome: Outcome;
  readonly errors: string | null;
  readonly result: string | null;
}

export function storedOutcome(attempt: SqliteAttempt, outcome: Outcome): StoredOutcome {
  const error = outcome.kind === 'failed' || outcome.kind === 'retry' ? outcome.error : null;
  return {
    outcome,
    errors: error === null ? attempt.row.errors : withError(attempt.errors, error),
    result: outcome.kind === 'success' ? payloadToText(outcome.result) : null,
  };
}

/** What the row of a job says after that outcome, if it was a final one. */
export function finishedRow(attempt: SqliteAttempt, stored: StoredOutcome, now: number): ResultRow {
  const { row, startedAt } = attempt;
  const { outcome, errors, result } = stored;
  return {
    id: row.id,
    task_id: row.task_id,
    task: row.task,
    status: outcome.kind as 'success' | 'failed' | 'cancelled',
    retries: row.retries,
    submitted_at: row.submitted_at,
    started_at: startedAt,
    finished_at: now,
    errors,
    result,
    reason: outcome.kind === 'cancelled' ? outcome.reason : null,
  };
}

/** Writes what became of attempts: result and acknowledgement are one and the same row. */
export class OutcomeWrites {
  private readonly finish;
  private readonly putBack;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
  ) {
    const stillOurs = `WHERE id = ? AND claims = ? AND status = 'running'`;
    this.finish = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, started_at = ?, finished_at = ?, finish_order = ?,
                       errors = ?, result = ?, reason = ?
       ${stillOurs}`,
    );
    this.putBack = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, started_at = ?, place = ?, due_at = ?,
                       errors = ?, retries = ?, rescues = ?
       ${stillOurs}`,
    );
  }

  /** Says `false`, and changes nothing, if somebody else has taken the job since. */
  settle(attempt: SqliteAttempt, stored: StoredOutcome, now: number): boolean {
    const { outcome } = stored;
    switch (outcome.kind) {
      case 'success':
      case 'failed':
        return this.end(attempt, outcome.kind, stored, null, now);
      case 'cancelled':
        return this.end(attempt, 'cancelled', stored, outcome.reason, now);
      case 'retry':
        return this.again(attempt, 'retrying', stored, outcome.delay, now);
      case 'snoozed':
      case 'released':
        return this.again(attempt, 'pending', stored, outcome.delay, now);
    }
  }

  private end(
    { row, startedAt }: SqliteAttempt,
    status: TaskStatus,
    { errors, result }: StoredOutcome,
    reason: string | null,
    now: number,
  ): boolean {
    const order = this.ledger.next();
    const ended = this.finish.run(status, startedAt, now, order, errors, result, reason, row.id, row.claims);
    if (ended === 0) return false;
    this.ledger.moved(row.queue, 'running', status);
    return true;
  }

  private again(
    { row, startedAt }: SqliteAttempt,
    status: TaskStatus,
    { outcome, errors }: StoredOutcome,
    delay: number,
    now: number,
  ): boolean {
    const released = outcome.kind === 'released';
    // A job that is given back goes before its equals: it is older than whatever waits.
    const place = released ? row.id : this.ledger.next();
    const done = this.putBack.run(
      status,
      startedAt,
      delay > 0 ? null : place,
      delay > 0 ? timeAfter(now, delay) : null,
      errors,
      row.retries + (outcome.kind === 'retry' ? 1 : 0),
      released ? row.rescues : 0,
      row.id,
      row.claims,
    );
    if (done === 0) return false;
    this.ledger.moved(row.queue, 'running', status);
    return true;
  }
}

function withError(before: readonly AttemptError[], error: AttemptError): string {
  return payloadToText([...before.slice(1 - MAX_ERRORS), error]);
}
