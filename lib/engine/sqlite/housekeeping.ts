import { Logger } from '@nestjs/common';
import type { Clock } from '../../core/clock.js';
import { detached } from '../../core/detached.js';
import { ClockJumps } from './clock-jumps.js';
import type { JobsFile } from './jobs-file.js';
import type { SqliteAttempt } from './sqlite-attempt.js';

/** Rounds in the time of one lease: a living worker renews well before its lease ends. */
const ROUNDS_PER_LEASE = 5;
/** How often results are looked through for old ones, by one process for all. */
const PRUNE_MS = 30_000;
/** How many leases are renewed in one transaction. */
const RENEWED_AT_ONCE = 250;

export interface HousekeepingParts {
  readonly file: JobsFile;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly lease: number;
  readonly resultTtl: number;
  /** What this process has taken, by row. */
  readonly held: ReadonlyMap<number, SqliteAttempt>;
  /** Jobs of dead workers are in line again. */
  rescued(): void;
  /** A job of this process has been taken over by another one. */
  lost(attempt: SqliteAttempt): void;
  /** Once a round. */
  round(): void;
}

/** What is done from time to time: renews leases, takes jobs over from dead workers, drops old results. */
export class Housekeeping {
  private readonly logger = new Logger('Flowrra');
  private readonly interval: number;
  private readonly jumps: ClockJumps;
  private cancelTimer: (() => void) | null = null;

  constructor(private readonly parts: HousekeepingParts) {
    this.interval = Math.floor(parts.lease / ROUNDS_PER_LEASE);
    this.jumps = new ClockJumps(parts.clock, parts.lease, this.interval);
  }

  start(): void {
    this.next();
    this.round();
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private next(): void {
    this.cancelTimer = detached(() =>
      this.parts.clock.after(
        this.interval,
        () => {
          this.next();
          this.round();
        },
        { background: true },
      ),
    );
  }

  private round(): void {
    const now = this.parts.clock.now();
    Promise.all([this.renew(now), this.rescue(now), this.prune(now)]).catch((error: unknown) =>
      this.logger.warn(`Housekeeping is tried again in a moment: ${String(error)}`),
    );
    this.parts.round();
  }

  /** Leases that were given within the last round can wait for the next. */
  private async renew(now: number): Promise<void> {
    const { file, held, lease, lost } = this.parts;
    const fresh = now + lease - this.interval;
    const due = [...held.values()].filter(({ leasedUntil }) => leasedUntil <= fresh);
    for (let from = 0; from < due.length; from += RENEWED_AT_ONCE) {
      const some = due.slice(from, from + RENEWED_AT_ONCE);
      const gone = await file.commit.write(
        () => some.filter((attempt) => held.has(attempt.row.id) && !file.leases.renew(attempt, now + lease)),
        some.length,
      );
      for (const attempt of gone) lost(attempt);
    }
  }

  private async rescue(now: number): Promise<void> {
    const { file, held, lease, rescued } = this.parts;
    const trusted = this.jumps.trustLeases();
    const first = file.reads.firstLeaseEnd();
    if (first > now + lease && first < Infinity)
      await file.commit.write(() => file.leases.clamp(now + lease));
    if (!trusted || first > now) return;
    const rescue = (): number => file.leases.rescue(now, (id) => held.has(id));
    let count = 0;
    for (let some = -1; some !== 0; count += some) some = await file.commit.write(rescue);
    if (count === 0) return;
    this.logger.warn(`${count} jobs of a worker that has gone are taken over: their leases had ended.`);
    rescued();
  }

  private async prune(now: number): Promise<void> {
    const { file, resultTtl } = this.parts;
    if (file.reads.oldestResult() > now - resultTtl) return;
    if (!(await file.commit.write(() => file.retention.takeTurn(now, PRUNE_MS)))) return;
    while (await file.commit.write(() => file.retention.dropExpired(now)));
  }
}
