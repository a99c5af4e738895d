import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { EngineError, ExecutorNotRunningError, FlowrraError } from '../../job/errors.js';
import { Admission } from '../admission.js';
import { Runs } from '../../run/runs.js';
import { Idle } from '../idle.js';
import { type Accepted, type Attempt, isPlain, type NewJob } from '../../job/job.js';
import type { Capability, ConnectedEngine, DrainReport, Engine, EngineHost } from '../engine.js';
import type { BullServer } from './server/bull-server.js';
import { BullQueues } from './server/bull-queues.js';
import type { BullRun } from './work/bull-run.js';
import { type BullMqOptions, resolveBullMqOptions, type ResolvedBullMqOptions } from './bullmq-options.js';
import { BullMqControl } from './read/bullmq-control.js';
import { BullMqResults } from './read/bullmq-results.js';
import { CancelWatch } from './work/cancel-watch.js';
import { FleetEvents } from './read/fleet-events.js';
import { limitFleet } from './work/fleet-limits.js';
import { Intake } from './submit/submissions.js';
import { atMost, Patience } from './server/io-time.js';
import { keptFor } from './job-mapping.js';
import { QueueWorkers } from './work/queue-workers.js';
import { reach } from './server/connect-with-retry.js';
import { serverFor } from './server/server-for.js';
import type { ServerJobs } from './server/server-jobs.js';
import { Sluice } from './server/call-limiter.js';
import { discreet, messageOf, Trouble } from './server/outage-log.js';

/** How often those who wait for a result, or for room, are looked after, whatever events have come. */
const LOOK_MS = 1_000;
/** The longest that a step of closing waits for a server. */
const CLOSE_MS = 1_000;
/** A server that has not answered by then counts as away when it comes to closing. */
const PING_MS = 500;

/** The engine for many machines: BullMQ over Redis or PostgreSQL. */
export class BullMqEngine implements Engine, ConnectedEngine {
  readonly name = 'bullmq';
  readonly durable = true;
  readonly supports: ReadonlySet<Capability> = new Set(['shared', 'fleetLimits', 'results', 'control']);
  readonly results = new BullMqResults();
  readonly control = new BullMqControl();
  private readonly trouble = new Trouble(() => this.server);
  private host!: EngineHost;
  private admission!: Admission;
  private server!: BullServer;
  private jobs!: ServerJobs;
  private queues!: BullQueues;
  private intake!: Intake;
  private reads!: Sluice;
  private workers = QueueWorkers.none;
  private watch: CancelWatch | null = null;
  private idle!: Idle;
  private readonly live = new Runs();
  private look: NodeJS.Timeout | null = null;
  private accepting = false;
  /** By this name BullMQ shows where a job has run. */
  private readonly worker = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  private readonly patience: Patience;

  constructor(private readonly options: ResolvedBullMqOptions) {
    this.patience = new Patience(options.submitTimeout);
  }

  async connect(host: EngineHost): Promise<this> {
    this.host = host;
    this.idle = new Idle(host.clock, () => this.workers.size === 0);
    this.server = await serverFor(this.options, host.queues.length, this.trouble.report);
    this.jobs = this.server.jobs(keptFor(host.retention), host.clock.now);
    try {
      this.queues = await this.reached(() => this.openQueues());
    } catch (error) {
      await atMost(CLOSE_MS, this.server.close());
      throw error;
    }
    this.reads = new Sluice(this.server.reads, this.patience);
    const fleet = await this.openFleetEvents();
    this.intake = new Intake(host, this.server, this.queues, fleet, this.trouble);
    this.admission = new Admission(
      host.backPressure,
      () => this.pendingCount(),
      (job) => this.answered(() => this.queues.hasStandIn(job)),
    );
    this.results.open({
      clock: host.clock,
      resultTtl: host.retention.resultTtl,
      hasQueue: (name) => host.queues.some((queue) => queue.name === name),
      find: (taskId) => this.answered(() => this.queues.state(taskId)),
      listen: (queue) => this.queues.listenTo(queue),
      listens: (queue) => this.queues.listens(queue),
      isTelling: (taskId) => this.workers.isTelling(taskId),
      trouble: this.trouble.report,
    });
    this.openControl(fleet);
    this.look = setInterval(this.onLook, LOOK_MS);
    this.look.unref();
    this.trouble.start();
    this.accepting = true;
    return this;
  }

  async consume(): Promise<void> {
    const { queues } = this.host;
    await this.reached(() => limitFleet(this.queues, queues));
    this.watch = this.makeWatch();
    this.workers = await this.reached(() => this.openWorkers());
    this.watch.start();
    this.workers.start();
  }

  enqueue(job: NewJob): Promise<Accepted> {
    if (this.accepting && this.admission.unbounded && isPlain(job)) return this.intake.insertPlain(job);
    return this.enqueueMany([job]).then(([accepted]) => accepted as Accepted);
  }

  enqueueMany(jobs: readonly NewJob[]): Promise<Accepted[]> {
    if (!this.accepting) return Promise.reject(notAccepting());
    if (jobs.length === 0) return Promise.resolve([]);
    const insert = (): Promise<Accepted[]> => this.intake.insert(jobs);
    const free = this.admission.unbounded || jobs.every(({ bypassMaxPending }) => bypassMaxPending === true);
    return free ? insert() : this.admission.enter(jobs, insert);
  }

  pendingCount(): Promise<number> {
    return this.answered(() => this.queues.pendingCount());
  }

  async drain(graceMs: number, killMs: number): Promise<DrainReport> {
    await this.workers.pause();
    const unfinished = await this.live.drain(graceMs, killMs, this.idle);
    const force = !(await this.answers());
    await this.workers.close(force);
    this.watch?.stop();
    return { unfinished, dropped: 0 };
  }

  async close(): Promise<void> {
    this.accepting = false;
    this.trouble.stop();
    this.admission?.close();
    if (this.look !== null) clearInterval(this.look);
    this.watch?.stop();
    this.workers = QueueWorkers.none;
    // What has been sent may be kept: without an answer its submitter could not know.
    if (this.intake !== undefined) await this.patience.with(this.intake.close()).catch(() => undefined);
    await atMost(CLOSE_MS, this.results.looked());
    this.reads?.close();
    this.results.close();
    this.control.close();
    if (this.queues !== undefined) await atMost(CLOSE_MS, this.queues.close());
    if (this.server !== undefined) await atMost(CLOSE_MS, this.server.close());
  }

  /** A worker waits for a server that is away until it is back. */
  private answers(): Promise<boolean> {
    return new Patience(PING_MS).with(this.server.ping()).then(
      () => true,
      () => false,
    );
  }

  private reached<T>(step: () => Promise<T>): Promise<T> {
    return reach(this.server, this.options, this.trouble, this.host.closing, step);
  }

  private async openQueues(): Promise<BullQueues> {
    await this.server.connect();
    const names = this.host.queues.map(({ name }) => name);
    return BullQueues.open(names, {
      server: this.server,
      jobs: this.jobs,
      patience: this.patience,
      expired: () => this.host.clock.now() - this.host.retention.resultTtl,
      trouble: this.trouble.report,
      ended: (taskId) => this.results.hear(taskId),
    });
  }

  private async openFleetEvents(): Promise<FleetEvents | null> {
    if (!this.options.fleetEvents) return null;
    const fleet = new FleetEvents(
      this.worker,
      (event) => this.host.notify({ type: 'remote', event }),
      this.trouble.report,
    );
    await this.reached(() => this.queues.listenToAll((...queue) => fleet.listen(...queue)));
    return fleet;
  }

  private openControl(fleet: FleetEvents | null): void {
    const { host, queues, jobs, trouble } = this;
    this.control.open({
      queues,
      jobs,
      clock: host.clock,
      resultTtl: host.retention.resultTtl,
      asked: (ask) => this.answered(ask),
      runOf: (attempt) => this.workers.runOf(attempt),
      cancelling: (taskId) => fleet?.cancelling(taskId) ?? (() => {}),
      cancelled: (taskId) => {
        this.admission.left();
        this.results.hear(taskId);
      },
      told: (taskId, reason) => this.workers.cancel(taskId, reason),
      trouble: trouble.report,
    });
  }

  private makeWatch(): CancelWatch {
    const { jobs, trouble } = this;
    return new CancelWatch({
      jobs,
      running: () => this.workers.running,
      round: () => this.workers.nextRound(),
      cancelled: ({ attempt }, reason) => this.workers.cancel(attempt.taskId, reason),
      ended: ({ attempt }, reason) => this.cancelledUnrun(attempt, reason),
      trouble: trouble.report,
    });
  }

  private openWorkers(): Promise<QueueWorkers> {
    const { host, server, jobs, options, admission, trouble } = this;
    return QueueWorkers.open({
      worker: this.worker,
      host,
      server,
      jobs,
      options,
      live: this.live,
      asTask: admission.unbounded ? (code) => code() : admission.asTask,
      left: () => admission.left(),
      stored: this.stored,
      putBack: (run) => this.watch?.wasPutBack(run),
      cancelledUnrun: this.cancelledUnrun,
      changed: () => this.idle.check(),
      trouble: trouble.report,
    });
  }

  /** Reading waits no longer for a server than submitting does. */
  private async answered<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await this.reads.run(read);
    } catch (cause) {
      if (cause instanceof FlowrraError) throw cause;
      throw new EngineError(`${this.server.name} could not be asked: ${messageOf(cause)}`, {
        cause: discreet(cause),
      });
    }
  }

  private readonly stored = (run: BullRun): void => {
    const { outcome, attempt } = run;
    if (outcome === null) return;
    this.host.notify({ type: 'settled', attempt, outcome });
    this.results.hear(attempt.taskId);
  };

  private readonly cancelledUnrun = (attempt: Attempt, reason: string): void => {
    this.host.notify({ type: 'settled', attempt, outcome: { kind: 'cancelled', reason } });
    this.results.hear(attempt.taskId);
  };

  private readonly onLook = (): void => {
    void this.trouble.look();
    this.admission.left();
    this.results.lookAfter();
  };
}

/**
 * The engine for many machines, over Redis or PostgreSQL.
 *
 * @throws {FlowrraConfigError} naming an option that is wrong.
 */
export function bullmq(options: BullMqOptions): BullMqEngine {
  return new BullMqEngine(resolveBullMqOptions(options));
}

function notAccepting(): Error {
  return new ExecutorNotRunningError(
    'The engine takes no jobs: it is not connected yet, or it has been stopped.',
  );
}
