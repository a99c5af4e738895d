import type { MaybePromise } from '../../job/async.js';
import type { Accepted, Attempt, NewJob } from '../../job/job.js';
import type { Outcome } from '../../job/outcome.js';
import { CHANGED, type OpenStore, type StoreConfig } from '../embedded/job-store.js';
import { FileWatch } from './file/file-watch.js';
import { rowsFor } from './file/group-commit.js';
import type { JobsFile } from './file/jobs-file.js';
import { toJobRow } from './sql/job-row.js';
import { encodeOutcome, type EncodedState, finishedRow } from './sql/outcome-writes.js';
import type { SqliteAttempt } from './sql/sqlite-attempt.js';
import { encodeJob } from './sql/submission-writes.js';
import { SqliteControl } from './sqlite-control.js';
import { SqliteJournals } from './sqlite-journals.js';
import type { ResolvedSqliteOptions } from './sqlite-options.js';
import { SqliteResults } from './sqlite-results.js';
import { SqliteSchedules } from './sqlite-schedules.js';
import { ClaimedJobs } from './work/claimed-jobs.js';
import { Maintenance } from './work/maintenance.js';

/** Up to this many jobs are submitted in a transaction that other writes share. */
const MAX_SHARED = 20;

/** Jobs and results in one open SQLite file, which several processes of one host may share. */
export class OpenSqliteStore implements OpenStore {
  readonly results: SqliteResults;
  readonly control: SqliteControl;
  readonly schedules: SqliteSchedules;
  readonly journals: SqliteJournals;
  private readonly claimed: ClaimedJobs;
  private readonly maintenance: Maintenance;
  private readonly fileWatch: FileWatch;
  private readonly watchers = new Set<() => void>();
  private closing = false;

  /** @param file The store closes it at {@link close}. */
  constructor(
    private readonly file: JobsFile,
    private readonly config: StoreConfig,
    private readonly options: ResolvedSqliteOptions,
  ) {
    const { clock, retention } = config;
    const { ended } = this;
    const claimed = new ClaimedJobs({ file, config, options, ended });
    const results = new SqliteResults({ clock, retention, reads: file.reads, claimed });
    this.claimed = claimed;
    this.results = results;
    this.control = new SqliteControl({ file, config, claimed, results });
    this.schedules = new SqliteSchedules(file);
    this.journals = new SqliteJournals({ file, config, lease: options.lease });
    this.maintenance = new Maintenance({ file, config, lease: options.lease, claimed, results, ended });
    this.fileWatch = new FileWatch({
      pollInterval: options.pollInterval,
      version: () => file.reads.dataVersion(),
      changed: () => {
        claimed.fileChanged();
        results.checkFinished();
        config.notify(CHANGED);
        for (const watcher of this.watchers) watcher();
      },
      checkPresence: () => file.checkPresence(),
    });
    this.maintenance.start();
  }

  consume(): void {
    this.fileWatch.keepAlive();
  }

  watch(changed: () => void): () => void {
    // One function may watch several times.
    const watcher = (): void => changed();
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }

  insert(job: NewJob, now: number): Promise<Accepted> {
    const encoded = encodeJob(job);
    this.claimed.preempt(job.queue, job.priority);
    return this.file.commit.write(() => this.file.submissions.insert(encoded, now), encoded.rows);
  }

  /** Inserts all jobs or, if one cannot be stored, none. */
  async insertMany(jobs: readonly NewJob[], now: number): Promise<Accepted[]> {
    const { commit, submissions } = this.file;
    for (const { queue, priority } of jobs) this.claimed.preempt(queue, priority);
    if (jobs.length <= MAX_SHARED) {
      const encoded = jobs.map(encodeJob);
      const rows = encoded.reduce((sum, each) => sum + each.rows, 0);
      return commit.write(() => encoded.map((each) => submissions.insert(each, now)), rows);
    }
    return commit.writeEach(jobs, (job) => {
      const encoded = encodeJob(job);
      return { value: submissions.insert(encoded, now), rows: encoded.rows };
    });
  }

  hasExisting(job: NewJob, now: number): boolean {
    return this.file.submissions.hasExisting(job, now);
  }

  claim(queue: string, limit: number, now: number): MaybePromise<readonly Attempt[]> {
    return this.claimed.claim(queue, limit, now);
  }

  begins(attempt: Attempt): boolean {
    return this.claimed.begins(attempt as SqliteAttempt);
  }

  async settle(given: Attempt, outcome: Outcome, now: number): Promise<boolean> {
    const attempt = given as SqliteAttempt;
    let state = encodeOutcome(attempt, outcome, now);
    const { commit, outcomes, leases, queues, reads, journals } = this.file;
    const settle = (): EncodedState | null => {
      // In the transaction, so that no entry is posted between the look at the journal and the suspension.
      if (outcome.kind === 'suspended')
        state = encodeOutcome(attempt, outcome, now, journals.posts(attempt.row.id));
      const stored = outcomes.settle(attempt, state, now);
      if (stored !== null) return stored;
      // The lease has ended. If no other worker has claimed the job, the outcome still counts.
      const renewed = leases.renew(attempt, now + this.options.lease);
      return renewed ? outcomes.settle(attempt, state, now) : null;
    };
    const stored = await commit.write(settle, rowsFor(state.result));
    this.claimed.forget(attempt);
    if (stored === state && state.finishedAt !== null)
      this.results.finished(attempt.row.id, () => finishedRow(attempt, state) ?? reads.at(attempt.row.id));
    else if (stored !== state && stored !== null) this.ended(attempt.row.id);
    // The place of a queue with fleet limits is free only now, after the attempt has ended.
    if (queues.isLimited(attempt.queue)) this.config.notify(CHANGED);
    return stored === state;
  }

  nextDue(queue: string): number | null {
    return this.claimed.nextDue(queue);
  }

  pendingCount(): number {
    return this.file.reads.pendingCount() + this.claimed.prefetchedCount;
  }

  /** Releases prefetched jobs. Returns 0: waiting jobs are kept for the next start. */
  stop(): number {
    this.claimed.releaseAll();
    return 0;
  }

  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    this.fileWatch.stop();
    this.maintenance.stop();
    this.claimed.close();
    await this.file.close();
    this.control.close();
    this.schedules.close();
    this.journals.close();
    this.results.close();
  }

  /** Announces the end of a cancelled job that ended neither by its attempt nor by `control.cancel`. */
  private readonly ended = (id: number): void => {
    const row = this.file.reads.at(id);
    this.results.finished(id, () => row);
    if (row !== undefined) this.config.notify({ type: 'ended', row: toJobRow(row) });
  };
}
