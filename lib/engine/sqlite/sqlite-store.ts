import { Logger } from '@nestjs/common';
import type { JobStore, StoreConfig } from '../embedded/job-store.interface.js';
import type { Attempt, MaybePromise, NewJob, Outcome } from '../engine.interface.js';
import { ChangeWatch } from './change-watch.js';
import { steadyTime } from './clock-jumps.js';
import { ClaimAhead } from './claim-ahead.js';
import { Housekeeping } from './housekeeping.js';
import type { ResultRow } from './job-row.js';
import { JobsFile } from './jobs-file.js';
import { finishedRow, storedOutcome } from './outcome-writes.js';
import { rowsFor } from './row-size.js';
import { type ClaimedRow, SqliteAttempt } from './sqlite-attempt.js';
import type { ResolvedSqliteOptions } from './sqlite-options.js';
import { SqliteResults } from './sqlite-results.js';
import { storedForm } from './submission-writes.js';

/** As many jobs as may share a transaction with whatever else is written. */
const FEW = 20;
/** How often to look whether the file is still there. */
const PRESENCE_MS = 1_000;
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
  private presence: NodeJS.Timeout | undefined;

  constructor(private readonly options: ResolvedSqliteOptions) {}

  async open(config: StoreConfig): Promise<void> {
    const { clock, retention } = config;
    this.config = config;
    this.file = await JobsFile.open(this.options, retention);
    this.logger.log(`Jobs lie in ${this.options.file}`);
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
      round: () => this.results.lookForDropped(),
    });
    this.housekeeping.start();
    this.presence = setInterval(() => this.file.checkPresence(), PRESENCE_MS);
    this.presence.unref();
    await this.file.commit.write(() => this.file.leases.announce(this.options.lease));
  }

  consume(): void {
    this.watch.keepAlive();
  }

  insert(job: NewJob, now: number): Promise<string> {
    const stored = storedForm(job);
    this.ahead.yieldTo(job.queue, job.priority);
    return this.file.commit.write(() => this.file.submissions.insert(stored, now), rowsFor(stored.args));
  }

  /** All of them or, if one cannot be stored, none. */
  async insertMany(jobs: readonly NewJob[], now: number): Promise<string[]> {
    const { commit, submissions } = this.file;
    for (const { queue, priority } of jobs) this.ahead.yieldTo(queue, priority);
    if (jobs.length <= FEW) {
      const stored = jobs.map(storedForm);
      const rows = stored.reduce((sum, each) => sum + rowsFor(each.args), 0);
      return commit.write(() => stored.map((each) => submissions.insert(each, now)), rows);
    }
    return commit.writeEach(jobs, (job) => {
      const stored = storedForm(job);
      return { value: submissions.insert(stored, now), rows: rowsFor(stored.args) };
    });
  }

  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> {
    // All of it is used up before more is taken: what a standstill has made stale is passed over.
    while (this.ahead.holds(queue)) {
      const ready = this.ahead.take(queue, limit).filter((attempt) => this.isHeld(attempt));
      if (ready.length > 0) return started(ready, now);
    }
    this.ahead.usedUp(queue);
    const due = this.file.reads.nextDue(queue);
    if (due === null || due > now) return [];
    return this.claimFromFile(queue, limit, now);
  }

  async settle(attempt: Attempt, outcome: Outcome, now: number): Promise<boolean> {
    const mine = attempt as SqliteAttempt;
    const stored = storedOutcome(mine, outcome);
    const { outcomes, leases } = this.file;
    // Late, but nobody else has taken the job: what was done still counts.
    const settle = (): boolean =>
      outcomes.settle(mine, stored, now) ||
      (leases.renew(mine, now + this.options.lease) && outcomes.settle(mine, stored, now));
    const applied = await this.file.commit.write(settle, rowsFor(stored.result));
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

  /** Nothing is lost: what waits is there at the next start. */
  abandon(): number {
    this.ahead.clearAll();
    return 0;
  }

  async close(): Promise<void> {
    if (this.file === undefined || this.closing) return;
    this.closing = true;
    this.watch.stop();
    clearInterval(this.presence);
    this.housekeeping.stop();
    this.ahead.clearAll();
    await this.file.close();
    this.results.close();
  }

  private async claimFromFile(queue: string, limit: number, now: number): Promise<readonly Attempt[]> {
    const { commit, claims, reads } = this.file;
    const { clock } = this.config;
    const extent = this.ahead.extent(queue, limit);
    let claimedAt = 0;
    const claim = (): ClaimedRow[] => {
      // At the end of a stop there is nobody left to run them.
      if (this.closing) return [];
      claimedAt = steadyTime(clock);
      this.renewOverdue(claimedAt);
      // The file may have been locked for a while: a lease begins when it is given.
      return claims.claim(queue, limit, extent, now, clock.now() + this.options.lease);
    };
    const rows = await commit.write(claim, limit + extent);
    const attempts = rows.map((row) => this.attempt(row, claimedAt, (id) => reads.argsOf(id)));
    this.ahead.fill(queue, attempts.splice(limit));
    return started(attempts, this.config.clock.now());
  }

  private attempt(row: ClaimedRow, claimedAt: number, args: (id: number) => string): SqliteAttempt {
    const attempt = new SqliteAttempt(row, args, row.rescues > this.options.maxRescues);
    attempt.renewedAt = claimedAt;
    this.held.set(row.id, attempt);
    return attempt;
  }

  /** After a standstill this process must not take over from itself. */
  private renewOverdue(steady: number): void {
    const { lease } = this.options;
    for (const attempt of this.held.values()) {
      if (steady - attempt.renewedAt < lease) continue;
      if (this.file.leases.renew(attempt, this.config.clock.now() + lease)) attempt.renewedAt = steady;
    }
  }

  /** Whether it is still this process's to start. After a standstill it may be somebody else's by now. */
  private isHeld(attempt: SqliteAttempt): boolean {
    const ours = this.held.get(attempt.row.id) === attempt;
    if (ours && steadyTime(this.config.clock) - attempt.renewedAt < this.options.lease) return true;
    this.release(attempt);
    return false;
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
