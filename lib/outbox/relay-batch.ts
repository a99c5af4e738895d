import type { Clock } from '../job/clock.js';
import type { OutboxRow, OutboxTable } from './outbox-table.js';

/** How long a claim lasts unless it is renewed. After a crash, another relay takes over then. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;

/** The rows that a relay has claimed, while it hands their jobs to the engine. */
export class RelayBatch {
  /** The rows about which nothing is stored yet. */
  private readonly open: Set<OutboxRow>;
  private cancelTimer: () => void;
  private done = 0;

  private constructor(
    readonly rows: readonly OutboxRow[],
    private readonly table: OutboxTable,
    private readonly claim: string,
    private readonly clock: Clock,
  ) {
    this.open = new Set(rows);
    this.cancelTimer = this.renewLater();
  }

  /** `null` if no job is due. */
  static async claim(
    table: OutboxTable,
    claim: string,
    clock: Clock,
    limit: number,
  ): Promise<RelayBatch | null> {
    const rows = await table.claim(claim, LEASE_MS, limit);
    return rows.length === 0 ? null : new RelayBatch(rows, table, claim, clock);
  }

  /** The number of jobs that the engine has. */
  get handedOn(): number {
    return this.done;
  }

  /** The size of the jobs. */
  get characters(): number {
    return this.rows.reduce((sum, { job }) => sum + job.length, 0);
  }

  get plain(): readonly OutboxRow[] {
    return this.rows.filter(({ cancelReason }) => cancelReason === null);
  }

  get cancelled(): readonly OutboxRow[] {
    return this.rows.filter(({ cancelReason }) => cancelReason !== null);
  }

  /** The engine has the jobs, or others that stand for them. If their rows stay, they are submitted again. */
  async accepted(rows: readonly OutboxRow[], ids: readonly string[]): Promise<void> {
    for (const row of rows) this.open.delete(row);
    this.done += rows.length;
    try {
      await this.table.remove(rows.filter(({ taskId }, index) => ids[index] === taskId));
      for (const [index, row] of rows.entries())
        if (ids[index] !== row.taskId) await this.table.setSame(row.taskId, ids[index] as string);
    } catch (error) {
      await this.releaseRows(rows, 0);
      throw error;
    }
  }

  async cancelledInEngine(row: OutboxRow): Promise<void> {
    await this.table.removeSpent([row]);
    this.open.delete(row);
    this.done++;
  }

  async retryLater(row: OutboxRow, error: string, ms: number): Promise<void> {
    await this.table.retryLater(this.claim, row.taskId, error, ms);
    this.open.delete(row);
  }

  async park(row: OutboxRow, error: string): Promise<void> {
    await this.table.park(this.claim, row.taskId, error);
    this.open.delete(row);
  }

  /** Lets any relay try the rest again. */
  async release(ms: number): Promise<void> {
    await this.releaseRows([...this.open], ms);
  }

  /** If the database does not answer, the claim ends with its lease. */
  private async releaseRows(rows: readonly OutboxRow[], ms: number): Promise<void> {
    await this.table.release(this.claim, ms, rows).catch(() => undefined);
  }

  /** Stops renewing the claim. */
  end(): void {
    this.cancelTimer();
    this.cancelTimer = () => undefined;
    this.open.clear();
  }

  /** A submission may wait for a place among `maxPending` jobs. */
  private renewLater(): () => void {
    return this.clock.after(
      RENEW_MS,
      () => {
        if (this.open.size === 0) return;
        this.cancelTimer = this.renewLater();
        this.table.renew(this.claim, LEASE_MS, [...this.open]).catch(() => undefined);
      },
      { background: true },
    );
  }
}
