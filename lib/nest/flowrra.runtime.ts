import { Logger, type Type } from '@nestjs/common';
import { type Clock, steadyTime } from '../job/clock.js';
import { EventHub } from '../run/event-hub.js';
import { ExecutorNotRunningError } from '../job/errors.js';
import { DurableJobs } from '../run/durable/durable-jobs.js';
import { ParentNotices } from '../run/durable/parent-notices.js';
import { DeadLetters } from '../run/dead-letters.js';
import type { Instrument, Instrumentation } from '../run/instrumentation.js';
import { JobOperations } from '../run/job-operations.js';
import { JobWatches } from '../run/job-watches.js';
import { PayloadCodec } from '../job/payload/payload-codec.js';
import { ResultRecorder } from '../run/result-recorder.js';
import { Run, type RunParts } from '../run/run.js';
import { RunObserver } from '../run/run-observer.js';
import { UnknownTasks } from '../run/unknown-tasks.js';
import { checkOverrides } from './discovery/declared-schedules.js';
import { startLine } from './start-line.js';
import { Schedules } from '../run/schedules/schedules.js';
import { Submitter } from '../run/submitter.js';
import type { TaskRegistry } from '../run/task-registry.js';
import { checkCapabilities, checkConnected, lacks, lacksInThread } from '../engine/capabilities.js';
import type { ConnectedEngine, Engine, EngineEvent } from '../engine/engine.js';
import { resolveEngine } from '../engine/resolve-engine.js';
import type { ResolvedOptions } from './options/module-options.js';
import type { ResultBackend } from '../results/result-backend.js';
import { SettledResults } from '../results/settled-results.js';
import { resolveSubmitOptions } from '../job/submit-options.js';
import type { TaskRunner } from '../run/task-definition.js';
import { CpuRunner, InlineRunner } from '../run/task-runner.js';
import { ParentEngine } from '../run/threads/parent-engine.js';
import { parentLink } from '../run/threads/parent-link.js';

/** The parts that exist only while the engine is connected. */
interface Connected {
  readonly engine: ConnectedEngine;
  /** @throws {FlowrraConfigError} if the engine has no results and no backend is configured. */
  readonly results: ResultBackend;
  /** @throws {FlowrraConfigError} if the engine does not support them. */
  readonly operations: JobOperations;
  /** @throws {FlowrraConfigError} if the engine does not support them. */
  readonly schedules: Schedules;
  /** @throws {FlowrraConfigError} if the engine keeps no journals. */
  readonly durable: DurableJobs;
  readonly watches: JobWatches;
  readonly submitter: Submitter;
  readonly cpu: TaskRunner;
  /** A configured backend, which is closed with the engine. */
  readonly backend: ResultBackend | null;
}

/** The time that aborted attempts have to end after the deadline of a stop. */
const KILL_GRACE_MS = 5_000;

/**
 * Creates the parts of one application and takes them through their states: connected (accepts
 * submissions), consuming (runs jobs), drained, closed. A repeated step does nothing.
 */
export class FlowrraRuntime {
  readonly events = new EventHub();
  private readonly instrumentation: Instrumentation | null;
  private readonly logger = new Logger('Flowrra');
  private connecting: Promise<Connected> | null = null;
  private connected: Connected | null = null;
  private draining: Promise<void> | null = null;
  private consuming = false;
  private closing = new AbortController();
  /** The same engine after a stop and a start: the memory engine keeps its results. */
  private engine: Engine | null = null;
  private turn: Promise<void> = Promise.resolve();

  /** @param createBackend Creates a backend that was configured as a class, with its dependencies. */
  constructor(
    private readonly options: ResolvedOptions,
    private readonly registry: TaskRegistry,
    private readonly createBackend: (type: Type<ResultBackend>) => Promise<ResultBackend>,
    instrument?: Instrument,
  ) {
    this.instrumentation = parentLink() === null ? this.instrumentedBy(instrument) : null;
  }

  get isRunning(): boolean {
    return this.consuming && this.draining === null;
  }

  get isConnected(): boolean {
    return this.connected !== null;
  }

  /** @throws {ExecutorNotRunningError} before `connect` and after `close`. */
  get parts(): Connected {
    if (this.connected !== null) return this.connected;
    throw new ExecutorNotRunningError(
      'Flowrra is not running: jobs can be neither submitted nor queried. Use it from onModuleInit on, not in a constructor or a factory, and before the application has shut down; after stop(), call start() again.',
    );
  }

  /** The configured engine, before it is connected. */
  async loadEngine(): Promise<Engine> {
    const link = parentLink();
    return (this.engine ??= link ? new ParentEngine(link) : await resolveEngine(this.options.engine));
  }

  /** Opens the engine and the backend. Afterwards submissions are accepted. */
  async connect(): Promise<void> {
    this.connecting ??= this.open();
    try {
      this.connected = await this.connecting;
    } catch (error) {
      this.connecting = null;
      throw error;
    }
  }

  /** Starts to run jobs, unless the role is `producer`. */
  start(): Promise<void> {
    return this.inTurn(async () => {
      if (this.consuming) return;
      this.registry.checkNames(this.options.tasks.keys());
      this.registry.checkDeadLetters();
      checkOverrides(this.options.schedules, this.registry.schedules);
      await this.connect();
      this.consuming = true;
      const { name, supports } = await this.loadEngine();
      if (this.options.role !== 'producer') {
        await this.parts.engine.consume();
        if (supports.has('schedules') || this.registry.schedules.length > 0)
          await this.parts.schedules.start(this.closing.signal);
      }
      if (this.options.quiet !== true && parentLink() === null)
        this.logger.log(startLine(this.options, name, this.registry.taskCount));
    });
  }

  /** Starts no more jobs and waits for running attempts. A durable engine still accepts submissions. */
  drain(graceMs: number): Promise<void> {
    if (this.connected === null) return Promise.resolve();
    return (this.draining ??= this.runDrain(this.connected, graceMs));
  }

  /** Drains, if that has not been done, and releases everything. */
  close(graceMs: number): Promise<void> {
    this.closing.abort();
    return this.inTurn(async () => {
      await this.connecting?.catch(() => undefined);
      await this.drain(graceMs);
      const { connected } = this;
      this.connected = null;
      this.connecting = null;
      this.draining = null;
      this.consuming = false;
      this.closing = new AbortController();
      if (connected === null) return;
      await connected.cpu.close();
      await connected.engine.close();
      await connected.backend?.close?.();
    });
  }

  /** Runs starts and stops one after the other, in the order of the calls. */
  private inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.turn.then(step);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async open(): Promise<Connected> {
    const { clock, queues, maxPending, whenFull, resultTtl, maxResults, maxPayloadBytes, context } =
      this.options;
    const codec = new PayloadCodec({ maxBytes: maxPayloadBytes });
    const observer = new RunObserver(this.events, clock);
    const { instrumentation } = this;
    const engine = await this.loadEngine();
    checkCapabilities(engine, this.options);
    const backend = await this.openBackend();
    const recorder = backend && new ResultRecorder(backend, clock);
    let runParts: RunParts | null = null;
    let parents: ParentNotices | null = null;
    const connected = await engine.connect({
      queues,
      clock,
      retention: { resultTtl, maxResults },
      backPressure: { maxPending, whenFull },
      closing: this.closing.signal,
      run(attempt) {
        if (runParts === null) throw new Error('An engine runs attempts only after consume().');
        return new Run(attempt, runParts);
      },
      notify: (event) => this.handle(event, observer, recorder, parents),
    });
    checkConnected(engine, connected);
    const submitter = new Submitter(connected, codec, observer, recorder, context, instrumentation);
    const inline = new InlineRunner();
    const cpu = this.options.cpu.mode === 'inline' ? inline : this.cpuRunner(submitter);
    const { control, journals } = connected;
    const { registry } = this;
    const missing = parentLink() === null ? lacks : lacksInThread;
    parents = journals === undefined ? null : new ParentNotices(journals, clock);
    const { durableProbe: probe } = this.options;
    const durableParts = { control, registry, submitter, codec, clock, observer, probe };
    runParts = {
      registry: this.registry,
      unknownTasks: new UnknownTasks(),
      codec,
      clock,
      observer,
      runners: { inline, cpu },
      recorder,
      reports: { control, codec, observer, recorder, clock },
      deadLetters: new DeadLetters(this.registry, submitter, clock),
      context,
      instrumentation,
      durable: journals === undefined ? null : { journals, ...durableParts },
      parents,
      noJournals: () => missing(engine, 'journals'),
      random: Math.random,
    };
    const durable = journals && control && new DurableJobs({ journals, control, codec, clock, observer });
    const operations = control && new JobOperations({ control, observer, recorder, durable, parents });
    const stored = resultsOf(backend, connected.results, clock);
    const results = (): ResultBackend => {
      if (stored === undefined) throw missing(engine, 'results');
      return stored;
    };
    const isShared = engine.supports.has('shared');
    const watched = { clock, hub: this.events, control, results, engine: connected, isShared };
    const { schedules: store } = connected;
    const schedules =
      store && control && new Schedules({ store, control, registry, submitter, observer, clock, isShared });
    return {
      engine: connected,
      submitter,
      cpu,
      backend,
      watches: new JobWatches(watched),
      get results() {
        return results();
      },
      get operations() {
        if (operations === undefined) throw missing(engine, 'control');
        return operations;
      },
      get durable() {
        if (durable === undefined) throw missing(engine, 'journals');
        return durable;
      },
      get schedules() {
        if (schedules === undefined) throw missing(engine, 'schedules');
        return schedules;
      },
    };
  }

  private handle(
    event: EngineEvent,
    observer: RunObserver,
    recorder: ResultRecorder | null,
    parents: ParentNotices | null,
  ): void {
    switch (event.type) {
      case 'settled':
        return observer.settled(event.attempt, event.outcome);
      case 'cancelled':
        void recorder?.changed(event.row);
        void parents?.cancelled(event.row);
        return observer.cancelled(event.row);
      case 'remote':
        return this.events.emitRemote(event.event);
    }
  }

  private instrumentedBy(instrument: Instrument | undefined): Instrumentation | null {
    if (instrument === undefined) return null;
    const { own$ } = this.events;
    const counts = async () => this.parts.operations.counts();
    return instrument.instrument({ clock: this.options.clock, own$, counts });
  }

  private cpuRunner(submitter: Submitter): CpuRunner {
    const { cpu, clock } = this.options;
    return new CpuRunner({
      threads: cpu.threads,
      module: cpu.module,
      resourceLimits: cpu.resourceLimits,
      clock,
      submit: async ({ taskName, args, options }) =>
        submitter.submit(this.registry.route(taskName), args, resolveSubmitOptions(options, clock.now())),
    });
  }

  private async openBackend(): Promise<ResultBackend | null> {
    const { backend } = this.options;
    return typeof backend === 'function' ? this.createBackend(backend) : backend;
  }

  private async runDrain(connected: Connected, graceMs: number): Promise<void> {
    const { engine, watches } = connected;
    const { clock } = this.options;
    const begun = steadyTime(clock);
    if (this.engine?.supports.has('schedules')) await connected.schedules.stop();
    const report = engine.drain(Math.max(0, graceMs - (steadyTime(clock) - begun)), KILL_GRACE_MS);
    // An HTTP server closes only after its streams have ended, and the engine closes later still.
    await report.then(
      () => watches.close(),
      () => watches.close(),
    );
    const { unfinished, dropped } = await report;
    if (unfinished > 0)
      this.logger.warn(`${unfinished} running jobs did not end before the deadline of the stop.`);
    if (dropped > 0)
      this.logger.warn(`${dropped} waiting jobs are lost: the ${this.engine?.name} engine is not durable.`);
  }
}

/** `undefined` if neither a backend is configured nor the engine has results. */
function resultsOf(
  backend: ResultBackend | null,
  ofEngine: ResultBackend | undefined,
  clock: Clock,
): ResultBackend | undefined {
  if (backend === null) return ofEngine;
  return ofEngine === undefined ? backend : new SettledResults(backend, ofEngine, clock);
}
