import type { Clock } from '../job/clock.js';
import { PayloadCodec } from '../job/payload/payload-codec.js';
import { resolveSubmitOptions } from '../job/submit-options.js';
import type { JobControl } from '../engine/control.js';
import type { ConnectedOutbox } from '../outbox/connected-outbox.js';
import { checkConnected, lacks, lacksInThread } from '../engine/capabilities.js';
import type { ConnectedEngine, Engine, EngineEvent } from '../engine/engine.js';
import type { ResultBackend } from '../results/result-backend.js';
import { SettledResults } from '../results/settled-results.js';
import { DeadLetters } from '../run/dead-letters.js';
import { DurableJobs } from '../run/durable/durable-jobs.js';
import { ParentNotices } from '../run/durable/parent-notices.js';
import type { EventHub } from '../run/event-hub.js';
import type { Instrumentation } from '../run/instrumentation.js';
import { JobOperations } from '../run/job-operations.js';
import { JobWatches } from '../run/job-watches.js';
import { ResultRecorder } from '../run/result-recorder.js';
import { Run, type RunParts } from '../run/run.js';
import { RunObserver } from '../run/run-observer.js';
import { Schedules } from '../run/schedules/schedules.js';
import { Submitter } from '../run/submitter.js';
import type { TaskRunner } from '../run/task-definition.js';
import type { TaskRegistry } from '../run/task-registry.js';
import { CpuRunner, InlineRunner } from '../run/task-runner.js';
import { parentLink } from '../run/threads/parent-link.js';
import { UnknownTasks } from '../run/unknown-tasks.js';
import { connectOutbox, OutboxParts } from './outbox-parts.js';
import type { ResolvedOptions } from './options/module-options.js';

/** The parts that exist only while the engine is connected. */
export interface Connected {
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
  readonly outbox: OutboxParts;
  readonly cpu: TaskRunner;
  /** A configured backend, which is closed with the engine. */
  readonly backend: ResultBackend | null;
}

export interface ConnectParts {
  readonly engine: Engine;
  /** A configured backend; `null` for none. */
  readonly backend: ResultBackend | null;
  readonly options: ResolvedOptions;
  readonly registry: TaskRegistry;
  readonly events: EventHub;
  readonly instrumentation: Instrumentation | null;
  /** Aborted when the application closes. */
  readonly closing: AbortSignal;
}

/** Connects the engine, and creates the parts that need it. */
export async function connectParts(parts: ConnectParts): Promise<Connected> {
  const { engine, backend, options, registry, events, instrumentation, closing } = parts;
  const { clock, queues, maxPending, whenFull, resultTtl, maxResults, maxPayloadBytes, context } = options;
  const codec = new PayloadCodec({ maxBytes: maxPayloadBytes });
  const observer = new RunObserver(events, clock);
  const recorder = backend && new ResultRecorder(backend, clock);
  let runParts: RunParts | null = null;
  let parents: ParentNotices | null = null;
  const connected = await engine.connect({
    queues,
    clock,
    retention: { resultTtl, maxResults },
    backPressure: { maxPending, whenFull },
    closing,
    run(attempt) {
      if (runParts === null) throw new Error('An engine runs attempts only after consume().');
      return new Run(attempt, runParts);
    },
    notify(event) {
      if (event.type === 'remote') events.emitRemote(event.event);
      else heard(event, observer, recorder, parents);
    },
  });
  checkConnected(engine, connected);
  const submitter = new Submitter(connected, codec, observer, recorder, context, instrumentation);
  const outbox: ConnectedOutbox | null = await connectOutbox(options.outbox, {
    engine: connected,
    supports: engine.supports,
    clock,
    codec,
    retention: { resultTtl, maxResults },
    backPressure: { maxPending, whenFull },
    isThread: parentLink() !== null,
    submit: (jobs) => submitter.submitJobs(jobs),
    // The relay starts after all parts exist.
    cancel: async (taskId, reason): Promise<unknown> => operations?.cancel(taskId, reason),
  });
  const outboxParts = new OutboxParts(
    outbox,
    submitter,
    (sink) => new Submitter(sink, codec, null, null, context, instrumentation),
  );
  const inline = new InlineRunner();
  const cpu = options.cpu.mode === 'inline' ? inline : cpuRunner(options, registry, submitter);
  const { journals } = connected;
  const control: JobControl | undefined =
    connected.control && outbox ? outbox.control(connected.control) : connected.control;
  const missing = parentLink() === null ? lacks : lacksInThread;
  parents = journals === undefined ? null : new ParentNotices(journals, clock);
  const { durableProbe: probe } = options;
  const untilRelayed = outbox?.untilRelayed.bind(outbox);
  const durable =
    journals && control && new DurableJobs({ journals, control, codec, clock, observer, untilRelayed });
  const operations: JobOperations | undefined =
    control && new JobOperations({ control, observer, recorder, durable, parents });
  const durableParts = { control, operations, registry, submitter, codec, clock, observer, probe };
  runParts = {
    registry,
    unknownTasks: new UnknownTasks(),
    codec,
    clock,
    observer,
    runners: { inline, cpu },
    recorder,
    reports: { control: connected.control, codec, observer, recorder, clock },
    deadLetters: new DeadLetters(registry, submitter, clock),
    context,
    instrumentation,
    durable: journals === undefined ? null : { journals, ...durableParts },
    parents,
    once: () => outboxParts.require('ctx.once()'),
    noJournals: () => missing(engine, 'journals'),
    random: Math.random,
  };
  const ofEngine = resultsOf(backend, connected.results, clock);
  const stored = ofEngine && outbox ? outbox.results(ofEngine) : ofEngine;
  const results = (): ResultBackend => {
    if (stored === undefined) throw missing(engine, 'results');
    return stored;
  };
  const isShared = engine.supports.has('shared');
  const watched = { clock, hub: events, control, results, engine: connected, isShared };
  const { schedules: store } = connected;
  const schedules =
    store && control && new Schedules({ store, control, registry, submitter, observer, clock, isShared });
  return {
    engine: connected,
    outbox: outboxParts,
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

function heard(
  event: Exclude<EngineEvent, { type: 'remote' }>,
  observer: RunObserver,
  recorder: ResultRecorder | null,
  parents: ParentNotices | null,
): void {
  if (event.type === 'settled') return observer.settled(event.attempt, event.outcome);
  void recorder?.changed(event.row);
  void parents?.cancelled(event.row);
  observer.cancelled(event.row);
}

function cpuRunner({ cpu, clock }: ResolvedOptions, registry: TaskRegistry, submitter: Submitter): CpuRunner {
  return new CpuRunner({
    threads: cpu.threads,
    module: cpu.module,
    resourceLimits: cpu.resourceLimits,
    clock,
    submit: async ({ taskName, args, options }) =>
      submitter.submit(registry.route(taskName), args, resolveSubmitOptions(options, clock.now())),
  });
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
