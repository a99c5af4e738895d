import { Logger } from '@nestjs/common';
import { CHANGED, type JobStore, type OpenStore, type StoreConfig } from '../embedded/job-store.js';
import type { Accepted, Attempt, NewJob } from '../../job/job.js';
import type { MaybePromise } from '../../job/async.js';
import type { Outcome } from '../../job/outcome.js';
import { ChangeWatch } from './file/change-watch.js';
import { Housekeeping } from './work/maintenance.js';
import { infoOf } from './sql/job-row.js';
import { JobsFile } from './file/jobs-file.js';
import { finishedRow, type StoredOutcome, storedOutcome } from './sql/outcome-writes.js';
import { rowsFor } from './sql/row-size.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';
import { SqliteControl } from './sqlite-control.js';
import type { ResolvedSqliteOptions } from './sqlite-options.js';
import { SqliteResults } from './sqlite-results.js';
import { type StoredJob, storedForm } from './sql/submission-writes.js';
import { TakenJobs } from './work/claimed-jobs.js';

/** As many jobs as may share a transaction with whatever else is written. */
const FEW = 20;
/** How often to look whether the file is still there. */
const PRESENCE_MS = 1_000;

/** Jobs and results in one SQLite file, which several processes of one host may share. */
export class SqliteStore implements JobStore, OpenStore {
  readonly durable = true;
  readonly results = new SqliteResults();
  readonly control = new SqliteControl();
  private readonly logger = new Logger('Flowrra');
  private config!: StoreConfig;
  private file!: JobsFile;
  private taken!: TakenJobs;
  private housekeeping!: Housekeeping;
  private watch!: ChangeWatch;
  private closing = false;
  private presence: NodeJS.Timeout | undefined;

  constructor(private readonly options: ResolvedSqliteOptions) {}

  async open(config: StoreConfig): Promise<this> {
    this.config = config;
    this.file = await JobsFile.open(this.options, config);
    this.logger.log(`Jobs lie in ${this.options.file}`);
    this.closing = false;
    this.connect();
    this.watch.start(this.options.pollInterval);
    this.housekeeping.start();
    this.presence = setInterval(() => this.file.checkPresence(), PRESENCE_MS);
    this.presence.unref();
    return this;
  }

  consume(): void {
    this.watch.keepAlive();
  }

  insert(job: NewJob, now: number): Promise<Accepted> {
    const stored = storedForm(job);
    this.taken.yieldTo(job.queue, job.priority);
    return this.file.commit.write(() => this.file.submissions.insert(stored, now), rowsOf(stored));
  }

  /** All of them or, if one cannot be stored, none. */
  async insertMany(jobs: readonly NewJob[], now: number): Promise<Accepted[]> {
    const { commit, submissions } = this.file;
    for (const { queue, priority } of jobs) this.taken.yieldTo(queue, priority);
    if (jobs.length <= FEW) {
      const stored = jobs.map(storedForm);
      const rows = stored.reduce((sum, each) => sum + rowsOf(each), 0);
      return commit.write(() => stored.map((each) => submissions.insert(each, now)), rows);
    }
    return commit.writeEach(jobs, (job) => {
      const stored = storedForm(job);
      return { value: submissions.insert(stored, now), rows: rowsOf(stored) };
    });
  }

  hasExisting(job: NewJob, now: number): boolean {
    return this.file.submissions.hasStandIn(job, now);
  }

  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> {
    return this.taken.claim(queue, limit, now);
  }

  begins(attempt: Attempt): boolean {
    return this.taken.begins(attempt as SqliteAttempt);
  }

  async settle(attempt: Attempt, outcome: Outcome, now: number): Promise<boolean> {
    const mine = attempt as SqliteAttempt;
    const given = storedOutcome(mine, outcome);
    const { outcomes, leases, queues, reads } = this.file;
    const settle = (): StoredOutcome | null => {
      const stored = outcomes.settle(mine, given, now);
      if (stored !== null) return stored;
      // Late, but nobody else has taken the job: what was done still counts.
      const renewed = leases.renew(mine, now + this.options.lease);
      return renewed ? outcomes.settle(mine, given, now) : null;
    };
    const stored = await this.file.commit.write(settle, rowsFor(given.result));
    this.taken.release(mine);
    if (stored === given && isEnd(outcome))
      this.results.finished(mine.row.id, () => finishedRow(mine, given, now) ?? reads.at(mine.row.id));
    else if (stored !== given && stored !== null) this.ended(mine.row.id);
    // There is room for another one, which was not there when the attempt ended.
    if (queues.isLimited(mine.queue)) this.config.notify(CHANGED);
    return stored === given;
  }

  nextDue(queue: string): number | null {
    return this.taken.nextDue(queue);
  }

  pendingCount(): number {
    return this.file.reads.pendingCount() + this.taken.waiting;
  }

  /** Nothing is lost: what waits is there at the next start. */
  stop(): number {
    this.taken.giveAllBack();
    return 0;
  }

  async close(): Promise<void> {
    if (this.file === undefined || this.closing) return;
    this.closing = true;
    this.watch.stop();
    clearInterval(this.presence);
    this.housekeeping.stop();
    this.taken.close();
    await this.file.close();
    this.control.close();
    this.results.close();
  }

  /** A job that had been cancelled is over, and nobody else says so. */
  private readonly ended = (id: number): void => {
    const row = this.file.looks.at(id);
    this.results.finished(id, () => row);
    if (row !== undefined) this.config.notify({ type: 'ended', row: infoOf(row) });
  };

  /** Makes the parts that live on an open file. */
  private connect(): void {
    const { config, file, options, results } = this;
    const { clock, retention } = config;
    const taken = new TakenJobs({ file, config, options, ended: this.ended });
    this.taken = taken;
    results.open({
      clock,
      resultTtl: retention.resultTtl,
      reads: file.reads,
      asSeen: (row) => taken.asSeen(row),
    });
    this.control.open({ file, config, taken, ended: (row) => results.finished(row.id, () => row) });
    this.watch = new ChangeWatch(
      () => file.reads.dataVersion(),
      () => {
        taken.look();
        results.look();
        config.notify(CHANGED);
      },
    );
    this.housekeeping = new Housekeeping({
      file,
      clock,
      lease: options.lease,
      resultTtl: retention.resultTtl,
      held: taken.all,
      changed: () => config.notify(CHANGED),
      ended: this.ended,
      lost: (attempt) => {
        taken.release(attempt);
        config.notify({ type: 'lost', attempt });
      },
      round: () => results.lookForDropped(),
    });
  }
}

/** About how many rows of usual size a job takes. */
function rowsOf({ args, metadata }: StoredJob): number {
  return rowsFor(args) + (metadata === null ? 0 : rowsFor(metadata));
}

function isEnd({ kind }: Outcome): boolean {
  return kind === 'success' || kind === 'failed' || kind === 'cancelled';
}
