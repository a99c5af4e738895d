import type { TaskStatus } from '../../../job/status.js';
import type { SqliteDatabase } from '../file/driver/driver.js';
import type { Ledger } from './counters.js';

/** An unfinished job, as far as its end is written from it. */
export interface UnfinishedRow {
  readonly id: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly started_at: number | null;
}

/** Cancels jobs: those that wait end, those that run are marked until their attempt has ended. */
export class CancelWrites {
  private readonly endJob;
  private readonly mark;

  constructor(
    database: SqliteDatabase,
    private readonly ledger: Ledger,
  ) {
    this.endJob = database.prepare(
      `UPDATE jobs SET status = 'cancelled', place = NULL, due_at = NULL, leased_until = NULL, cancelling = NULL,
                       started_at = ?, finished_at = ?, finish_order = ?, reason = ?
       WHERE id = ?`,
    );
    this.mark = database.prepare(
      `UPDATE jobs SET cancelling = ? WHERE id = ? AND status = 'running' AND cancelling IS NULL`,
    );
  }

  /** Ends a job that does not run: it waits, or nobody is left who runs it. */
  end({ id, queue, status, started_at: startedAt }: UnfinishedRow, reason: string, now: number): void {
    this.endJob.run(startedAt, now, this.ledger.next(), reason, id);
    this.ledger.moved(queue, status, 'cancelled');
  }

  /** Marks a job that runs, so that it goes on in no process. The first reason stays. */
  ask(id: number, reason: string): void {
    this.mark.run(reason, id);
  }
}
