import { Logger, type Type } from '@nestjs/common';
import { within } from '../job/async.js';
import { steadyTime } from '../job/clock.js';
import { EventHub } from '../run/event-hub.js';
import { ExecutorNotRunningError } from '../job/errors.js';
import type { Instrument, Instrumentation } from '../run/instrumentation.js';
import { checkOverrides } from './discovery/declared-schedules.js';
import { type Connected, connectParts } from './connect-parts.js';
import { startLine } from './start-line.js';
import type { TaskRegistry } from '../run/task-registry.js';
import { checkCapabilities } from '../engine/capabilities.js';
import type { Engine } from '../engine/engine.js';
import { resolveEngine } from '../engine/resolve-engine.js';
import type { ResolvedOptions } from './options/module-options.js';
import type { ResultBackend } from '../results/result-backend.js';
import { ParentEngine } from '../run/threads/parent-engine.js';
import { parentLink } from '../run/threads/parent-link.js';

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
      // In the test kit, the test says when jobs are handed on.
      if (parentLink() === null && this.options.quiet !== true) this.parts.outbox.start();
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
      await connected.outbox.stop();
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
    const engine = await this.loadEngine();
    checkCapabilities(engine, this.options);
    const { backend } = this.options;
    return connectParts({
      engine,
      backend: typeof backend === 'function' ? await this.createBackend(backend) : backend,
      options: this.options,
      registry: this.registry,
      events: this.events,
      instrumentation: this.instrumentation,
      closing: this.closing.signal,
    });
  }

  private instrumentedBy(instrument: Instrument | undefined): Instrumentation | null {
    if (instrument === undefined) return null;
    const { own$ } = this.events;
    const counts = async () => this.parts.operations.counts();
    return instrument.instrument({ clock: this.options.clock, own$, counts });
  }

  private async runDrain(connected: Connected, graceMs: number): Promise<void> {
    const { engine, watches } = connected;
    const { clock } = this.options;
    const begun = steadyTime(clock);
    // Its relay may wait for a place among `maxPending` jobs, which only the end of the engine refuses.
    if (connected.outbox.isConfigured)
      await within(graceMs, clock, connected.outbox.stop()).catch(() => undefined);
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
