import { ExecutorNotRunningError } from '../../job/errors.js';
import { type Accepted, isPlain, type JobRow, type NewJob } from '../../job/job.js';
import { type Outcome, waitsAgain } from '../../job/outcome.js';
import { Admission } from '../admission.js';
import type { ConnectedEngine, DrainReport } from '../engine.js';
import type { TransactionalSubmit } from '../transactional-submit.js';
import type { BullMqParts } from './bullmq-parts.js';
import { BullMqControl } from './read/bullmq-control.js';
import { BullMqJournals } from './read/bullmq-journals.js';
import { BullMqResults } from './read/bullmq-results.js';
import { BullMqSchedules } from './read/bullmq-schedules.js';
import { SharedTimeout, untilClosed } from './server/shared-timeout.js';
import { JobAdds } from './submit/job-adds.js';
import { QueuedJobs } from './submit/queued-jobs.js';
import { Submissions } from './submit/submissions.js';
import { TransactionalSubmissions } from './submit/transactional-submissions.js';
import type { BullAttempt } from './work/bull-attempt.js';
import { CancelWatch } from './work/cancel-watch.js';
import { limitFleet, QueueWorkers } from './work/queue-workers.js';

/** Events of the server may be lost: awaited results and waiting submissions are checked at this interval. */
const CHECK_MS = 1_000;
/** Workers drop the tags of jobs that BullMQ has deleted once in this many checks. */
const CHECKS_PER_SWEEP = 60;
/** If the server does not answer within this time, the workers close without it. */
const PING_MS = 500;

/** The BullMQ engine on a server that answers. */
export class ConnectedBullMq implements ConnectedEngine {
  readonly results: BullMqResults;
  readonly control: BullMqControl;
  readonly schedules: BullMqSchedules;
  readonly journals: BullMqJournals;
  /** Over PostgreSQL. */
  readonly transactions?: TransactionalSubmit;
  private readonly submissions: Submissions;
  private readonly admission: Admission;
  private readonly cancelWatch: CancelWatch;
  private readonly checkTimer: NodeJS.Timeout;
  private workers = QueueWorkers.none;
  private accepting = true;
  private consuming = false;
  private checks = 0;

  constructor(private readonly parts: BullMqParts) {
    const { host, jobs, reads, runs, outages, server } = parts;
    const adds = new JobAdds(parts);
    const queued = new QueuedJobs(host.retention);
    this.submissions = new Submissions(parts, adds, queued);
    const transactional = server.transactions?.();
    if (transactional !== undefined)
      this.transactions = new TransactionalSubmissions(parts, queued, transactional);
    this.admission = new Admission(
      host.backPressure,
      () => this.pendingCount(),
      (job) => reads.run(() => adds.hasExisting(job)),
    );
    this.results = new BullMqResults(parts);
    this.control = new BullMqControl(parts, (taskId) => {
      this.admission.left();
      this.results.mayHaveEnded(taskId);
    });
    this.schedules = new BullMqSchedules(parts);
    this.journals = new BullMqJournals(parts);
    this.cancelWatch = new CancelWatch(jobs, runs, outages, (attempt, reason) =>
      this.settled(attempt, { kind: 'cancelled', reason }),
    );
    this.checkTimer = setInterval(this.check, CHECK_MS).unref();
    outages.start();
  }

  /** Each queue with a watched job holds a connection, as for waits for results. */
  watch(job: Pick<JobRow, 'taskId' | 'queue'>, changed: () => void): () => void {
    return this.parts.listeners.watch(job, changed);
  }

  async consume(): Promise<void> {
    const { parts, admission, settled } = this;
    const { queues, host, step } = parts;
    await step(() => limitFleet(queues, host.queues));
    this.workers = await step(() => QueueWorkers.open({ ...parts, admission, settled }));
    this.consuming = true;
    this.cancelWatch.start();
    this.workers.start();
  }

  enqueue(job: NewJob): Promise<Accepted> {
    if (this.accepting && this.admission.unbounded && isPlain(job)) return this.submissions.insertPlain(job);
    return this.enqueueMany([job]).then(([accepted]) => accepted as Accepted);
  }

  enqueueMany(jobs: readonly NewJob[]): Promise<Accepted[]> {
    if (!this.accepting)
      return Promise.reject(new ExecutorNotRunningError('The engine accepts no jobs: it has been stopped.'));
    if (jobs.length === 0) return Promise.resolve([]);
    const insert = (): Promise<Accepted[]> => this.submissions.insert(jobs);
    const free = this.admission.unbounded || jobs.every(({ bypassMaxPending }) => bypassMaxPending === true);
    return free ? insert() : this.admission.enter(jobs, insert);
  }

  pendingCount(): Promise<number> {
    const { reads, queues } = this.parts;
    return reads.run(() => queues.pendingCount());
  }

  async drain(graceMs: number, killMs: number): Promise<DrainReport> {
    await this.workers.pause();
    const { live, idle } = this.parts.runs;
    const unfinished = await live.drain(graceMs, killMs, idle);
    await this.workers.close(!(await this.serverAnswers()));
    this.cancelWatch.stop();
    return { unfinished, dropped: 0 };
  }

  async close(): Promise<void> {
    const { outages, queues, listeners, server, reads, timeout } = this.parts;
    this.accepting = false;
    outages.stop();
    this.admission.close();
    clearInterval(this.checkTimer);
    this.cancelWatch.stop();
    // The server may accept a submission that was sent: its submitter needs the answer.
    await timeout.limit(this.submissions.close()).catch(() => undefined);
    await untilClosed(this.results.checked());
    reads.close();
    this.results.close();
    await untilClosed(Promise.all([listeners.close(), queues.close()]));
    await untilClosed(server.close());
  }

  /** If the server does not answer, a worker of BullMQ would wait for it without limit. */
  private serverAnswers(): Promise<boolean> {
    return new SharedTimeout(PING_MS).limit(this.parts.server.ping()).then(
      () => true,
      () => false,
    );
  }

  /** An outcome is stored. */
  private readonly settled = (attempt: BullAttempt, outcome: Outcome): void => {
    this.parts.host.notify({ type: 'settled', attempt, outcome });
    this.results.mayHaveEnded(attempt.taskId);
    if (waitsAgain(outcome)) this.cancelWatch.wasReleased(attempt);
  };

  private readonly check = (): void => {
    void this.parts.outages.check();
    this.admission.left();
    this.results.checkSome();
    if (this.consuming && ++this.checks % CHECKS_PER_SWEEP === 0) void this.sweepTags();
  };

  private async sweepTags(): Promise<void> {
    const { reads, queues, jobs, outages } = this.parts;
    for (const queue of queues.names) await reads.run(() => jobs.tags.sweep(queue)).catch(outages.report);
  }
}
