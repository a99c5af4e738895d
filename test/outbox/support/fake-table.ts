import type { Clock } from '../../../lib/job/clock.js';
import { OutboxError } from '../../../lib/job/errors.js';
import { jobToText } from '../../../lib/outbox/outbox-job.js';
import type { OutboxRow, OutboxTable } from '../../../lib/outbox/outbox-table.js';
import { newJob } from '../../support/jobs.js';

interface FakeRow {
  readonly seq: number;
  readonly id: string;
  readonly job: string;
  readonly createdAt: number;
  due: number | null;
  claim: string | null;
  tries: number;
  error: string | null;
  cancelReason: string | null;
  sameAs: string | null;
}

type Table = Pick<
  OutboxTable,
  'claim' | 'renew' | 'release' | 'remove' | 'removeSpent' | 'retryLater' | 'park' | 'setSame' | 'cancel'
>;

/** A table of jobs in memory, whose time is that of the clock. */
export class FakeTable implements Table {
  readonly rows: FakeRow[] = [];
  /** The number of claims, also of those that found nothing. */
  claims = 0;
  renewals = 0;
  isAway = false;
  private seqs = 0;

  constructor(private readonly clock: Clock) {}

  /** @param text Of the job, if it is not to be readable. */
  add(id: string, values: Parameters<typeof newJob>[0] = {}, text?: string): void {
    const now = this.clock.now();
    const job = text ?? jobToText(newJob({ taskId: id, ...values }));
    const none = { claim: null, tries: 0, error: null, cancelReason: null, sameAs: null };
    this.rows.push({ seq: ++this.seqs, id, job, createdAt: now, due: now, ...none });
  }

  row(id: string): FakeRow | undefined {
    return this.rows.find((row) => row.id === id);
  }

  async claim(claim: string, leaseMs: number, limit: number): Promise<OutboxRow[]> {
    this.claims++;
    this.answer();
    const now = this.clock.now();
    const free = this.rows.filter(({ due }) => due !== null && due <= now).slice(0, limit);
    for (const row of free) Object.assign(row, { claim, due: now + leaseMs });
    return free.map((row) => ({
      seq: row.seq,
      taskId: row.id,
      job: row.job,
      age: now - row.createdAt,
      createdAt: row.createdAt,
      tries: row.tries,
      error: row.error,
      isStuck: false,
      cancelReason: row.cancelReason,
      sameAs: row.sameAs,
    }));
  }

  async renew(claim: string, leaseMs: number, rows: readonly OutboxRow[]): Promise<void> {
    this.answer();
    this.renewals++;
    this.claimed(claim, rows).forEach((row) => (row.due = this.clock.now() + leaseMs));
  }

  async release(claim: string, delayMs: number, rows: readonly OutboxRow[]): Promise<void> {
    this.answer();
    for (const row of this.claimed(claim, rows))
      Object.assign(row, { due: this.clock.now() + delayMs, claim: null });
  }

  async remove(rows: readonly Pick<OutboxRow, 'seq'>[]): Promise<void> {
    this.answer();
    this.delete(rows, ({ cancelReason }) => cancelReason === null);
  }

  async removeSpent(rows: readonly Pick<OutboxRow, 'seq'>[]): Promise<void> {
    this.answer();
    this.delete(rows, () => true);
  }

  async retryLater(claim: string, taskId: string, error: string, delayMs: number): Promise<void> {
    this.answer();
    const row = this.claimedRow(claim, taskId);
    if (row)
      Object.assign(row, { due: this.clock.now() + delayMs, claim: null, tries: row.tries + 1, error });
  }

  async park(claim: string, taskId: string, error: string): Promise<void> {
    this.answer();
    const row = this.claimedRow(claim, taskId);
    if (row) Object.assign(row, { due: null, claim: null, tries: row.tries + 1, error });
  }

  async setSame(taskId: string, sameAs: string): Promise<void> {
    this.answer();
    const row = this.row(taskId);
    if (row?.cancelReason === null) Object.assign(row, { due: null, claim: null, sameAs });
  }

  async cancel(taskId: string, reason: string): Promise<void> {
    this.answer();
    const row = this.row(taskId);
    if (row) Object.assign(row, { cancelReason: reason, claim: null, due: this.clock.now() });
  }

  private claimedRow(claim: string, taskId: string): FakeRow | undefined {
    return this.rows.find((row) => row.id === taskId && row.claim === claim);
  }

  private claimed(claim: string, rows: readonly OutboxRow[]): FakeRow[] {
    return this.rows.filter((row) => row.claim === claim && rows.some(({ seq }) => seq === row.seq));
  }

  private delete(rows: readonly Pick<OutboxRow, 'seq'>[], fits: (row: FakeRow) => boolean): void {
    for (const { seq } of rows) {
      const at = this.rows.findIndex((row) => row.seq === seq && fits(row));
      if (at >= 0) this.rows.splice(at, 1);
    }
  }

  private answer(): void {
    if (this.isAway) throw new OutboxError('The database is away.');
  }
}
