import { Logger } from '@nestjs/common';
import type { JobStore, StoreConfig } from '../embedded/job-store.interface.js';
import type { Attempt, MaybePromise, NewJob, Outcome } from '../engine.interface.js';
import { ChangeWatch } from './change-watch.js';
import { ClaimAhead } from './claim-ahead.js';
import { Housekeeping } from './housekeeping.js';
import type { ResultRow } from './job-row.js';
import { JobsFile } from './jobs-file.js';
import { finishedRow, storedOutcome } from './outcome-writes.js';
import { type ClaimedRow, SqliteAttempt } from './sqlite-attempt.js';
import type { ResolvedSqliteOptions } from './sqlite-options.js';
import { SqliteResults } from './sqlite-results.js';
import { storedForm } from './submission-writes.js';

/** Jobs of one submission that are written in one turn of the event loop. */
const INSERTED_AT_ONCE = 500;
/** How long to wait before what could not be put back is tried again. */
const PUT_BACK_RETRY_MS = 1_000;

/** Jobs and results in one SQLite file, which several processes of one host may share. */
export class SqliteStore implements JobStore {
  readonly durable = true;
  readonly results = new SqliteResults();
  private readonly logger = new Logger('Flowrra');
  /** What this process has taken and not settled, by row: its leases are to be renewed. */
  private readonly held = new Map<number, SqliteAttempt>();
  private config!: StoreConfig;
  private file!: JobsFile;
  private ahead!: ClaimAhead;
  private housekeeping!: Housekeeping;
  private watch!: ChangeWatch;
  private closing = false;

  constructor(private readonly options: ResolvedSqliteOptions) {}

  async open(config: StoreConfig): Promise<void> {
    const { clock, retention } = config;
    this.config = config;
    this.file = await JobsFile.open(this.options, retention);
    this.closing = false;
    this.held.clear();
    this.ahead = new ClaimAhead(clock, (attempts) => void this.putBack(attempts));
    this.results.open({
      clock,
      resultTtl: retention.resultTtl,
      reads: this.file.reads,
      asSeen: (row) => this.asSeen(row),
    });
    this.watch = new ChangeWatch(
      () => this.file.reads.dataVersion(),
      () => this.changed(),
    );
    this.watch.start(this.options.pollInterval);
    this.housekeeping = new Housekeeping({
      file: this.file,
      clock,
      lease: this.options.lease,
      resultTtl: retention.resultTtl,
      held: this.held,
      rescued: () => config.changed(),
      lost: (attempt) => this.lost(attempt),
      round: () => {
        this.file.checkPresence();
        this.results.lookForDropped();
      },
    });
    this.housekeeping.start();
  }

  consume(): void {
    this.watch.keepAlive();
  }

  insert(job: NewJob, now: number): Promise<string> {
    const stored = storedForm(job);
    this.ahead.yieldTo(job.queue, job.priority);
    return this.file.commit.write(() => this.file.submissions.insert(stored, now));
  }

  /** All of them or, if one cannot be stored, none. */
  async insertMany(jobs: readonly NewJob[], now: number): Promise<string[]> {
    const { commit, submissions } = this.file;
    for (const { queue, priority } of jobs) this.ahead.yieldTo(queue, priority);
    const steps: (() => string[])[] = [];
    for (let from = 0; from < jobs.length; from += INSERTED_AT_ONCE) {
      const some = jobs.slice(from, from + INSERTED_AT_ONCE);
      steps.push(() => some.map((job) => submissions.insert(storedForm(job), now)));
    }
    return (await commit.writeAll(steps, jobs.length)).flat();
  }

  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> {
    const ready = this.ahead.take(queue, limit);
    if (ready.length > 0) return started(ready, now);
    const due = this.file.reads.nextDue(queue);
    if (due === null || due > now) return [];
    return this.claimFromFile(queue, limit, now);
  }

  async settle(attempt: Attempt, outcome: Outcome, now: number): Promise<boolean> {
    const mine = attempt as SqliteAttempt;
    const stored = storedOutcome(mine, outcome);
    const applied = await this.file.commit.write(() => this.file.outcomes.settle(mine, stored, now));
    this.release(mine);
    if (applied && isEnd(outcome)) this.results.finished(mine.row.id, () => finishedRow(mine, stored, now));
    return applied;
  }

  nextDue(queue: string): number | null {
    return this.ahead.holds(queue) ? 0 : this.file.reads.nextDue(queue);
  }

  pendingCount(): number {
    return this.file.reads.pendingCount() + this.ahead.size;
  }

  async prune(now: number): Promise<void> {
    while (await this.file.commit.write(() => this.file.retention.dropExpired(now)));
  }

  /** Nothing is lost: what waits is there at the next start. */
  abandon(): number {
    this.ahead.clearAll();
    return 0;
  }

  close(): void {
    if (this.file === undefined || this.closing) return;
    this.closing = true;
    this.watch.stop();
    this.housekeeping.stop();
    this.ahead.clearAll();
    this.file.close();
    this.results.close();
  }

  private async claimFromFile(queue: string, limit: number, now: number): Promise<readonly Attempt[]> {
    const { commit, claims, reads } = this.file;
    const extent = this.ahead.extent(queue, limit);
    const leasedUntil = now + this.options.lease;
    const rows = await commit.write(
      // At the end of a stop there is nobody left to run them.
      () => (this.closing ? [] : claims.claim(queue, limit, extent, now, leasedUntil)),
      limit + extent,
    );
    const attempts = rows.map((row) => this.attempt(row, leasedUntil, (id) => reads.argsOf(id)));
    this.ahead.fill(queue, attempts.splice(limit));
    return started(attempts, this.config.clock.now());
  }

  private attempt(row: ClaimedRow, leasedUntil: number, args: (id: number) => string): SqliteAttempt {
    const attempt = new SqliteAttempt(row, args, row.rescues > this.options.maxRescues);
    attempt.leasedUntil = leasedUntil;
    this.held.set(row.id, attempt);
    return attempt;
  }

  private async putBack(attempts: readonly SqliteAttempt[]): Promise<void> {
    const rows = attempts.map(({ row }) => row);
    try {
      await this.file.commit.write(() => this.file.claims.putBack(rows), rows.length);
      for (const attempt of attempts) this.release(attempt);
    } catch (error) {
      if (this.closing) return;
      this.logger.warn(`Jobs that were not started could not be put back yet: ${String(error)}`);
      this.config.clock.after(PUT_BACK_RETRY_MS, () => void this.putBack(attempts));
    }
  }

  private release(attempt: SqliteAttempt): void {
    if (this.held.get(attempt.row.id) === attempt) this.held.delete(attempt.row.id);
  }

  private lost(attempt: SqliteAttempt): void {
    this.release(attempt);
    this.config.lost(attempt);
  }

  private changed(): void {
    this.results.look();
    this.config.changed();
  }

  private asSeen(row: ResultRow): ResultRow {
    if (!this.ahead.has(row.id)) return row;
    const before = this.held.get(row.id)?.row;
    return before === undefined ? row : { ...row, status: before.status, started_at: before.started_at };
  }
}

function isEnd({ kind }: Outcome): boolean {
  return kind === 'success' || kind === 'failed' || kind === 'cancelled';
}

function started(attempts: SqliteAttempt[], now: number): SqliteAttempt[] {
  for (const attempt of attempts) attempt.startedAt = now;
  return attempts;
}
