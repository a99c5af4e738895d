import { ExecutorNotRunningError } from '../../job/errors.js';
import { type Accepted, isPlain, type NewJob } from '../../job/job.js';
import type { Outcome } from '../../job/outcome.js';
import { Admission } from '../admission.js';
import type { ConnectedEngine, DrainReport, EngineHost } from '../engine.js';
import type { ResolvedBullMqOptions } from './bullmq-options.js';
import { BullMqControl } from './read/bullmq-control.js';
import { BullMqResults } from './read/bullmq-results.js';
import type { FleetEvents, QueueListeners } from './read/queue-events.js';
import type { BullQueues } from './server/bull-queues.js';
import type { BullServer, ServerJobs } from './server/bull-server.js';
import { ServerReads } from './server/call-limiter.js';
import type { StartStep } from './server/open-server.js';
import type { OutageLog } from './server/outage-log.js';
import { atMost, SharedTimeout } from './server/shared-timeout.js';
import { JobAdds } from './submit/job-adds.js';
import { Submissions } from './submit/submissions.js';
import type { BullAttempt } from './work/bull-attempt.js';
import { BullRuns } from './work/bull-runs.js';
import { CancelWatch } from './work/cancel-watch.js';
import { limitFleet, QueueWorkers } from './work/queue-workers.js';

/** Events of the server may be lost: awaited results and waiting submissions are checked at this interval. */
const CHECK_MS = 1_000;
/** The longest that a step of closing waits for the server. */
const CLOSE_MS = 1_000;
/** If the server does not answer within this time, the workers close without it. */
const PING_MS = 500;

export interface ConnectedParts {
  /** The name of this process's workers. */
  readonly worker: string;
  readonly options: ResolvedBullMqOptions;
  readonly host: EngineHost;
  readonly server: BullServer;
  readonly jobs: ServerJobs;
  readonly queues: BullQueues;
  readonly listeners: QueueListeners;
  /** `null` unless the option `fleetEvents` is set. */
  readonly fleet: FleetEvents | null;
  readonly outages: OutageLog;
  /** Runs a step of the start. */
  readonly step: StartStep;
}

/** The BullMQ engine on a server that answers. */
export class ConnectedBullMq implements ConnectedEngine {
  readonly results: BullMqResults;
  readonly control: BullMqControl;
  private readonly timeout: SharedTimeout;
  private readonly reads: ServerReads;
  private readonly runs: BullRuns;
  private readonly submissions: Submissions;
  private readonly admission: Admission;
  private readonly watch: CancelWatch;
  private readonly checkTimer: NodeJS.Timeout;
  private workers = QueueWorkers.none;
  private accepting = true;

  constructor(private readonly parts: ConnectedParts) {
    const { options, host, server, jobs, queues, listeners, fleet, outages } = parts;
    const { clock } = host;
    const timeout = new SharedTimeout(options.submitTimeout);
    const reads = new ServerReads(server, timeout);
    const runs = new BullRuns(queues.names, clock);
    const adds = new JobAdds(server, jobs, queues, timeout);
    this.timeout = timeout;
    this.reads = reads;
    this.runs = runs;
    this.submissions = new Submissions(host, server, adds, fleet, outages);
    this.admission = new Admission(
      host.backPressure,
      () => this.pendingCount(),
      (job) => reads.run(() => adds.hasExisting(job)),
    );
    this.results = new BullMqResults({ clock, queues, reads, listeners, runs, outages });
    const cancelled = (taskId: string): void => {
      this.admission.left();
      this.results.mayHaveEnded(taskId);
    };
    this.control = new BullMqControl({ clock, queues, jobs, reads, runs, fleet, outages, cancelled });
    this.watch = new CancelWatch(jobs, runs, outages, (attempt, reason) =>
      this.settled(attempt, { kind: 'cancelled', reason }),
    );
    this.checkTimer = setInterval(this.check, CHECK_MS).unref();
    outages.start();
  }

  async consume(): Promise<void> {
    const { worker, host, server, jobs, queues, options, outages, step } = this.parts;
    const { runs, admission, settled } = this;
    await step(() => limitFleet(queues, host.queues));
    this.workers = await step(() =>
      QueueWorkers.open({ worker, host, server, jobs, options, runs, admission, outages, settled }),
    );
    this.watch.start();
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
    return this.reads.run(() => this.parts.queues.pendingCount());
  }

  async drain(graceMs: number, killMs: number): Promise<DrainReport> {
    await this.workers.pause();
    const unfinished = await this.runs.live.drain(graceMs, killMs, this.runs.idle);
    await this.workers.close(!(await this.serverAnswers()));
    this.watch.stop();
    return { unfinished, dropped: 0 };
  }

  async close(): Promise<void> {
    const { outages, queues, listeners, server } = this.parts;
    this.accepting = false;
    outages.stop();
    this.admission.close();
    clearInterval(this.checkTimer);
    this.watch.stop();
    // The server may accept a submission that was sent: its submitter needs the answer.
    await this.timeout.limit(this.submissions.close()).catch(() => undefined);
    await atMost(CLOSE_MS, this.results.checked());
    this.reads.close();
    this.results.close();
    await atMost(CLOSE_MS, Promise.all([listeners.close(), queues.close()]));
    await atMost(CLOSE_MS, server.close());
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
    const { kind } = outcome;
    this.parts.host.notify({ type: 'settled', attempt, outcome });
    this.results.mayHaveEnded(attempt.taskId);
    if (kind === 'retry' || kind === 'snoozed' || kind === 'released') this.watch.wasReleased(attempt);
  };

  private readonly check = (): void => {
    void this.parts.outages.check();
    this.admission.left();
    this.results.checkSome();
  };
}
