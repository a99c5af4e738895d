import { Logger } from '@nestjs/common';
import type { MaybePromise } from '../../../job/async.js';
import { steadyTime } from '../../../job/clock.js';
import type { Attempt } from '../../../job/job.js';
import { printed } from '../../../job/show-value.js';
import { CHANGED, type StoreConfig } from '../../embedded/job-store.js';
import type { JobsFile } from '../file/jobs-file.js';
import type { CancellationRow } from '../sql/job-reads.js';
import type { SqliteRow } from '../sql/job-row.js';
import { type ClaimedRow, SqliteAttempt } from '../sql/sqlite-attempt.js';
import type { ResolvedSqliteOptions } from '../sqlite-options.js';
import { Prefetch } from './prefetch.js';

const RELEASE_RETRY_MS = 1_000;

/**
 * How old the last check for cancellations by other processes may be when an attempt begins, in real
 * milliseconds: short attempts share one check.
 */
export const CANCELLATION_CHECK_MS = 1;

export interface ClaimedJobsParts {
  readonly file: JobsFile;
  readonly config: StoreConfig;
  readonly options: Pick<ResolvedSqliteOptions, 'lease' | 'maxRescues'>;
  /** The job in this row has ended as cancelled without having been started. */
  ended(id: number): void;
}

/** The jobs that this process has claimed and not settled: running and prefetched ones. */
export class ClaimedJobs {
  private readonly logger = new Logger('Flowrra');
  /** By row. */
  private readonly attempts = new Map<number, SqliteAttempt>();
  private readonly prefetch: Prefetch;
  private closed = false;
  /** When cancellations were last checked, and the version of the file then. */
  private checkedAt = -Infinity;
  private version = 0;
  /** By row, cancelled jobs that were not known to be claimed here at the last check. */
  private unmatched: ReadonlyMap<number, CancellationRow> = new Map();

  constructor(private readonly parts: ClaimedJobsParts) {
    this.prefetch = new Prefetch(parts.config.clock, (attempts) => void this.release(attempts));
  }

  /** All claimed jobs, by row: their leases must be renewed. */
  get all(): ReadonlyMap<number, SqliteAttempt> {
    return this.attempts;
  }

  get prefetchedCount(): number {
    return this.prefetch.count;
  }

  prefetched(): SqliteAttempt[] {
    return this.prefetch.all();
  }

  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> {
    // Prefetched jobs go first. Those whose lease may have ended while this process was suspended are skipped.
    while (this.prefetch.hasJobs(queue)) {
      const ready = this.prefetch.take(queue, limit).filter((attempt) => this.isStillHeld(attempt));
      if (ready.length > 0) return withStart(ready, now);
    }
    this.prefetch.exhausted(queue);
    const due = this.nextDue(queue);
    if (due === null || due > now) return [];
    return this.claimFromFile(queue, limit, now);
  }

  nextDue(queue: string): number | null {
    if (this.prefetch.hasJobs(queue)) return 0;
    const { reads, queues } = this.parts.file;
    const opensAt = queues.opensAt(queue, this.parts.config.clock.now());
    const due = opensAt === null ? null : reads.nextDue(queue);
    return due === null ? null : Math.max(due, opensAt ?? 0);
  }

  /** A new job runs before prefetched jobs that are less urgent. */
  preempt(queue: string, priority: number): void {
    this.prefetch.preempt(queue, priority);
  }

  /** Removes an attempt that has been settled, or whose job another process has claimed. */
  forget(attempt: SqliteAttempt): void {
    if (this.attempts.get(attempt.row.id) === attempt) this.attempts.delete(attempt.row.id);
  }

  /** Another process has claimed the job of this attempt. */
  lose(attempt: SqliteAttempt): void {
    this.forget(attempt);
    this.parts.config.notify({ type: 'lost', attempt });
  }

  /** The row as this process shows it: a prefetched job is waiting. */
  asSeen(row: SqliteRow): SqliteRow {
    if (!this.prefetch.has(row.id)) return row;
    const before = this.attempts.get(row.id)?.row;
    return before === undefined ? row : { ...row, status: before.status, started_at: before.started_at };
  }

  /**
   * Removes a job from the prefetched ones. The caller must end or release it. `null` if it is not prefetched, or if
   * its journal keeps it from ending without an attempt.
   */
  withdraw(id: number): SqliteAttempt | null {
    const attempt = this.attempts.get(id);
    return attempt !== undefined && !attempt.isResumed && this.prefetch.withdraw(attempt) ? attempt : null;
  }

  /** Stops the attempt of a cancelled job. Returns `false` if the job is not claimed here. */
  cancel(id: number, reason: string): boolean {
    const attempt = this.attempts.get(id);
    if (attempt === undefined) return false;
    if (attempt.cancelReason !== null) return true;
    attempt.cancelReason = reason;
    if (this.prefetch.withdraw(attempt)) void this.release([attempt]);
    else this.parts.config.notify({ type: 'cancelled', attempt, reason });
    return true;
  }

  /**
   * Whether an attempt may begin. If its job has been cancelled since the claim, the job ends instead; a job with a
   * journal begins as a cancelled one, since its steps may have to be undone.
   */
  begins(attempt: SqliteAttempt): boolean {
    if (performance.now() - this.checkedAt >= CANCELLATION_CHECK_MS) this.checkCancellations();
    // The run of a job with a journal has been told of the cancellation.
    if (attempt.cancelReason === null || attempt.isResumed) return true;
    void this.release([attempt]);
    return false;
  }

  /** Another process has written to the file: it may have cancelled jobs or paused queues. */
  fileChanged(): void {
    const { queues } = this.parts.file;
    queues.refresh();
    if (this.attempts.size > 0) this.applyCancellations();
    if (this.prefetch.count === 0) return;
    for (const queue of this.prefetch.queues) if (queues.isPaused(queue)) void this.releaseQueue(queue);
  }

  /** Makes attempts that have not begun wait again in the file. Resolves when that is durable. */
  async release(attempts: readonly SqliteAttempt[]): Promise<void> {
    const { file, config, ended } = this.parts;
    const rows = attempts.map(({ row }) => row);
    try {
      const cancelled = await file.commit.write(
        () => file.claims.release(rows, config.clock.now()),
        rows.length,
      );
      for (const attempt of attempts) this.forget(attempt);
      for (const id of cancelled) ended(id);
      // A queue that looked for jobs meanwhile saw neither these jobs nor the places that they free.
      config.notify(CHANGED);
    } catch (error) {
      if (this.closed) return;
      this.logger.warn(
        `Jobs that were not started could not be released; next try in 1 s: ${printed(error)}`,
      );
      config.clock.after(RELEASE_RETRY_MS, () => void this.release(attempts));
    }
  }

  /** Releases the prefetched jobs of a queue. Resolves when that is durable. */
  async releaseQueue(queue: string): Promise<void> {
    const attempts = this.prefetch.takeAll(queue);
    if (attempts.length > 0) await this.release(attempts);
  }

  releaseAll(): void {
    this.prefetch.releaseAll();
  }

  close(): void {
    this.closed = true;
    this.prefetch.releaseAll();
  }

  private checkCancellations(): void {
    this.checkedAt = performance.now();
    try {
      const version = this.parts.file.reads.dataVersion();
      // No other process has written since the last check.
      if (version === this.version) return;
      this.version = version;
      this.applyCancellations();
    } catch {
      // An unreadable file is reported by the calls that need its content.
    }
  }

  private applyCancellations(): void {
    const unmatched = new Map<number, CancellationRow>();
    for (const row of this.parts.file.reads.cancellations())
      if (!this.cancel(row.id, row.cancelling)) unmatched.set(row.id, row);
    this.unmatched = unmatched;
  }

  private async claimFromFile(queue: string, limit: number, now: number): Promise<readonly Attempt[]> {
    const { file, config, options } = this.parts;
    const { commit, claims, reads, queues } = file;
    const { clock } = config;
    const prefetch = this.prefetches(queue) ? this.prefetch.nextSize(queue, limit) : 0;
    let claimedAt = 0;
    const claim = (): ClaimedRow[] => {
      // The process is stopping: claimed jobs could not run.
      if (this.closed) return [];
      claimedAt = steadyTime(clock);
      this.renewOverdue(claimedAt);
      // A lease starts now: the file may have been locked since the call.
      const leasedFrom = clock.now();
      const room = queues.room(queue, leasedFrom);
      if (room === 0) return [];
      const rows = claims.claim(queue, Math.min(limit, room), prefetch, now, leasedFrom + options.lease);
      queues.countStarts(queue, rows.length, leasedFrom);
      return rows;
    };
    const rows = await commit.write(claim, limit + prefetch);
    const attempts = rows.map((row) => this.attempt(row, claimedAt, (id) => reads.largeArgsOf(id)));
    this.prefetch.fill(queue, attempts.splice(limit));
    return withStart(attempts, clock.now());
  }

  /** With `maxRescues` 0 a claimed job counts as started, so only jobs that start at once are claimed. */
  private prefetches(queue: string): boolean {
    return this.parts.options.maxRescues > 0 && !this.parts.file.queues.isLimited(queue);
  }

  private attempt(row: ClaimedRow, claimedAt: number, largeArgs: (id: number) => string): SqliteAttempt {
    const { config, options } = this.parts;
    const { maxRescues } = options;
    // With `maxRescues` 0, a job that may have been started before is not started again.
    const lost = maxRescues === 0 ? row.rescues !== 0 : row.rescues > maxRescues;
    const attempt = new SqliteAttempt(row, largeArgs, lost);
    attempt.renewedAt = claimedAt;
    // Another process cancelled the job after the claim, and the check came before this attempt was known.
    const cancelled = this.unmatched.get(row.id);
    if (cancelled?.claims === row.claims) {
      attempt.cancelReason = cancelled.cancelling;
      if (attempt.isResumed) config.notify({ type: 'cancelled', attempt, reason: cancelled.cancelling });
    }
    this.attempts.set(row.id, attempt);
    return attempt;
  }

  /** After a suspension, this process must not rescue jobs from itself. */
  private renewOverdue(steady: number): void {
    const { file, config, options } = this.parts;
    for (const attempt of this.attempts.values()) {
      if (steady - attempt.renewedAt < options.lease) continue;
      if (file.leases.renew(attempt, config.clock.now() + options.lease)) attempt.renewedAt = steady;
    }
  }

  /** Whether a prefetched job may start here: after a suspension another process may have claimed it. */
  private isStillHeld(attempt: SqliteAttempt): boolean {
    const held = this.attempts.get(attempt.row.id) === attempt;
    if (held && steadyTime(this.parts.config.clock) - attempt.renewedAt < this.parts.options.lease)
      return true;
    this.forget(attempt);
    return false;
  }
}

function withStart(attempts: SqliteAttempt[], now: number): SqliteAttempt[] {
  for (const attempt of attempts) attempt.startedAt = now;
  return attempts;
}
