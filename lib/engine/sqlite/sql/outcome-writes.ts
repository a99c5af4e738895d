import { payloadToText } from '../../../job/payload/payload-text.js';
import { type TaskStatus, waitingStatus } from '../../../job/status.js';
import { errorsAfter, type Outcome } from '../../../job/outcome.js';
import type { AttemptError } from '../../../job/job.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import type { ResultRow } from './job-row.js';
import type { Ledger } from './counters.js';
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

/**
 * What the row of a job says after that outcome, if it was a final one; `null` if only the row itself
 * can tell: of its progress, which this attempt or one before may have reported.
 */
export function finishedRow(attempt: SqliteAttempt, stored: StoredOutcome, now: number): ResultRow | null {
  if (attempt.reported || attempt.row.claims > 1) return null;
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
    progress: null,
  };
}

/** Writes what became of attempts: result and acknowledgement are one and the same row. */
export class OutcomeWrites {
  private readonly finish;
  private readonly finishRare;
  private readonly putBack;
  private readonly cancelling;

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
    this.finishRare = database.prepare('UPDATE jobs SET failed = ?, cancelling = NULL WHERE id = ?');
    this.putBack = database.prepare(
      `UPDATE jobs SET status = ?, leased_until = NULL, started_at = ?, place = ?, due_at = ?,
                       errors = ?, retries = ?, rescues = ?
       ${stillOurs} AND cancelling IS NULL`,
    );
    this.cancelling = database.prepare<{ cancelling: string | null }>(
      `SELECT cancelling FROM jobs ${stillOurs}`,
    );
  }

  /**
   * Returns what has been stored: the outcome, or, if the job was to go on and has been cancelled
   * meanwhile, that. `null`, and nothing changes, if somebody else has taken the job since.
   */
  settle(attempt: SqliteAttempt, stored: StoredOutcome, now: number): StoredOutcome | null {
    const { outcome } = stored;
    switch (outcome.kind) {
      case 'success':
      case 'failed':
      case 'cancelled':
        return this.end(attempt, outcome.kind, stored, now);
      case 'retry':
      case 'snoozed':
      case 'released':
        return this.again(attempt, stored, outcome.delay, now);
    }
  }

  private end(
    { row, startedAt, told }: SqliteAttempt,
    status: TaskStatus,
    stored: StoredOutcome,
    now: number,
  ): StoredOutcome | null {
    const { outcome, errors, result } = stored;
    const reason = outcome.kind === 'cancelled' ? outcome.reason : null;
    const order = this.ledger.next();
    const ended = this.finish.run(status, startedAt, now, order, errors, result, reason, row.id, row.claims);
    if (ended === 0) return null;
    // Apart from the rest: to change it, though from NULL to NULL, costs.
    if (status !== 'success' || told) this.finishRare.run(status === 'failed' ? 1 : null, row.id);
    this.ledger.moved(row.queue, 'running', status);
    return stored;
  }

  private again(
    attempt: SqliteAttempt,
    stored: StoredOutcome,
    delay: number,
    now: number,
  ): StoredOutcome | null {
    const { row, startedAt } = attempt;
    const { outcome, errors } = stored;
    const released = outcome.kind === 'released';
    // A job that is given back goes before its equals: it is older than whatever waits.
    const place = released ? row.id : this.ledger.next();
    const retries = row.retries + (outcome.kind === 'retry' ? 1 : 0);
    const status = waitingStatus(retries);
    const done = this.putBack.run(
      status,
      startedAt,
      delay > 0 ? null : place,
      delay > 0 ? timeAfter(now, delay) : null,
      errors,
      retries,
      released ? row.rescues : 0,
      row.id,
      row.claims,
    );
    if (done === 0) return this.insteadOf(attempt, stored, now);
    this.ledger.moved(row.queue, 'running', status);
    return stored;
  }

  /** Nothing that has been cancelled runs again, though its worker had not heard of it. */
  private insteadOf(attempt: SqliteAttempt, { errors }: StoredOutcome, now: number): StoredOutcome | null {
    const { id, claims } = attempt.row;
    const reason = this.cancelling.get(id, claims)?.cancelling ?? null;
    if (reason === null) return null;
    return this.end(
      attempt,
      'cancelled',
      { outcome: { kind: 'cancelled', reason }, errors, result: null },
      now,
    );
  }
}

function withError(before: readonly AttemptError[], error: AttemptError): string {
  return payloadToText(errorsAfter(before, error));
}
