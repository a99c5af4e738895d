import { Logger } from '@nestjs/common';
import type { Clock } from '../../../job/clock.js';
import { detached } from '../../../job/async.js';
import { ClockJumps, steadyTime } from '../file/clock-guard.js';
import type { JobsFile } from '../file/jobs-file.js';
import type { Rescue } from '../sql/lease-writes.js';
import type { SqliteAttempt } from '../sql/sqlite-attempt.js';
import { printed } from '../../../job/printed.js';

/** Rounds in the time of one lease: a living worker renews well before its lease ends. */
const ROUNDS_PER_LEASE = 5;
/** How often results and keys are looked through for old ones, by one process for all. */
const PRUNE_MS = 30_000;
/** How many leases are renewed in one transaction. */
const RENEWED_AT_ONCE = 250;

const NOBODY: Rescue = { inLine: 0, over: [] };

export interface HousekeepingParts {
  readonly file: JobsFile;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly lease: number;
  readonly resultTtl: number;
  /** What this process has taken, by row. */
  readonly held: ReadonlyMap<number, SqliteAttempt>;
  /** There may be something to claim: dead workers' jobs are in line again, or over, or the clock has been set. */
  changed(): void;
  /** The job of a dead worker had been cancelled, and is over. */
  ended(id: number): void;
  /** A job of this process has been taken over by another one. */
  lost(attempt: SqliteAttempt): void;
  /** Once a round. */
  round(): void;
}

/** What is done from time to time: renews leases, takes jobs over from dead workers, drops old results and keys. */
export class Housekeeping {
  private readonly logger = new Logger('Flowrra');
  private readonly interval: number;
  private readonly jumps: ClockJumps;
  private cancelTimer: (() => void) | null = null;
  private inTrouble = false;

  constructor(private readonly parts: HousekeepingParts) {
    this.interval = Math.floor(parts.lease / ROUNDS_PER_LEASE);
    this.jumps = new ClockJumps(parts.clock, parts.lease, this.interval, () => parts.changed());
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
    void this.work().then(
      () => this.recovered(),
      (error: unknown) => this.troubled(error),
    );
  }

  private async work(): Promise<void> {
    this.parts.round();
    await Promise.all([this.renew(), this.rescue(), this.prune(this.parts.clock.now())]);
  }

  /** Leases that were given within the last half of a round can wait for the next. */
  private async renew(): Promise<void> {
    const { file, held, lease, lost, clock } = this.parts;
    const fresh = steadyTime(clock) - this.interval / 2;
    const due = [...held.values()].filter(({ renewedAt }) => renewedAt <= fresh);
    for (let from = 0; from < due.length; from += RENEWED_AT_ONCE) {
      const some = due.slice(from, from + RENEWED_AT_ONCE);
      const renew = (attempt: SqliteAttempt): boolean => {
        attempt.renewedAt = steadyTime(clock);
        return file.leases.renew(attempt, clock.now() + lease);
      };
      const gone = await file.commit.write(
        () => some.filter((attempt) => held.get(attempt.row.id) === attempt && !renew(attempt)),
        some.length,
      );
      // One whose outcome came just before is held no more.
      for (const attempt of gone) if (held.get(attempt.row.id) === attempt) lost(attempt);
    }
  }

  private async rescue(): Promise<void> {
    const { file, clock, changed, ended } = this.parts;
    const { reads, leases, commit } = file;
    const latest = (): number => clock.now() + reads.longestLease();
    if (reads.lastLeaseEnd() > latest()) await commit.write(() => leases.clamp(latest()));
    let [inLine, over] = [0, 0];
    for (let some = await this.rescueSome(); isSome(some); some = await this.rescueSome()) {
      inLine += some.inLine;
      over += some.over.length;
      for (const id of some.over) ended(id);
    }
    if (inLine + over > 0) changed();
    if (inLine === 0) return;
    this.logger.warn(
      `${inLine === 1 ? '1 job was' : `${inLine} jobs were`} put back into line: a worker has shown no sign of life for the whole of its lease.`,
    );
  }

  /**
   * Asks for the file in every round, though nothing may be due: what keeps this process from it for
   * long, or for good, keeps owners from renewing.
   */
  private async rescueSome(): Promise<Rescue> {
    const { file, held, clock } = this.parts;
    const asked = steadyTime(clock);
    const rescue = (): Rescue => {
      if (steadyTime(clock) - asked > this.interval) this.jumps.heldUp();
      if (!this.jumps.trustLeases()) return NOBODY;
      return file.leases.rescue(clock.now(), (id) => held.has(id));
    };
    try {
      return await file.commit.write(rescue);
    } catch (error) {
      this.jumps.heldUp();
      throw error;
    }
  }

  private async prune(now: number): Promise<void> {
    const { file, resultTtl } = this.parts;
    const { commit, reads, retention } = file;
    if (reads.oldestResult() > now - resultTtl && reads.firstKeyEnd() > now) return;
    if (!(await commit.write(() => retention.takeTurn(now, PRUNE_MS)))) return;
    while (await commit.write(() => retention.dropExpired(now)));
    while (await commit.write(() => retention.dropKeys(now)));
  }

  /** One line when it begins and one when it ends, however many rounds that takes. */
  private troubled(error: unknown): void {
    if (!this.inTrouble) this.logger.warn(`Housekeeping is tried again in a moment: ${printed(error)}`);
    this.inTrouble = true;
  }

  private recovered(): void {
    if (this.inTrouble) this.logger.log('Housekeeping works again.');
    this.inTrouble = false;
  }
}

function isSome({ inLine, over }: Rescue): boolean {
  return inLine + over.length > 0;
}
