import { randomBytes } from 'node:crypto';
import type { JobControl } from '../../engine/control.js';
import type { ScheduleStore } from '../../engine/schedule-store.js';
import { untilAborted } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import type { RunObserver } from '../run-observer.js';
import type { Submitter } from '../submitter.js';
import type { TaskRegistry } from '../task-registry.js';
import { Declarations } from './declarations.js';
import { Occurrences } from './occurrences.js';
import { ScheduleOperations } from './schedule-operations.js';
import { ScheduleRecords } from './schedule-records.js';
import { Scheduler } from './scheduler.js';

export interface SchedulesParts {
  readonly store: ScheduleStore;
  readonly control: JobControl;
  readonly registry: TaskRegistry;
  readonly submitter: Submitter;
  readonly observer: RunObserver;
  readonly clock: Clock;
  /** Whether other processes can change schedules. */
  readonly isShared: boolean;
}

/** The schedules of one connected application: its operations, and the scheduler of a worker. */
export class Schedules {
  readonly operations: ScheduleOperations;
  private readonly records: ScheduleRecords;
  private readonly occurrences: Occurrences;
  private readonly worker = randomBytes(9).toString('base64url');
  private scheduler: Scheduler | null = null;

  constructor(private readonly parts: SchedulesParts) {
    const { store, clock, control } = parts;
    this.records = new ScheduleRecords(store, clock);
    this.occurrences = new Occurrences({ ...parts, worker: this.worker });
    this.operations = new ScheduleOperations({
      records: this.records,
      occurrences: this.occurrences,
      clock,
      statusOf: async (taskId) => (await control.job(taskId))?.status ?? null,
      changed: () => this.scheduler?.wake(),
    });
  }

  /**
   * Begins to handle occurrences. Producers do not.
   *
   * @param closing Aborted when Flowrra is stopped, which does not wait for a store that does not answer.
   */
  async start(closing: AbortSignal): Promise<void> {
    const { registry, clock, isShared, observer } = this.parts;
    const { records, occurrences, worker } = this;
    const declarations = new Declarations(records, registry.schedules, clock, isShared);
    const handled = observer.occurrence.bind(observer);
    this.scheduler = new Scheduler({ records, occurrences, declarations, clock, isShared, worker, handled });
    await untilAborted(closing, this.scheduler.start());
  }

  /** Resolves when no occurrence is being handled. */
  async idle(): Promise<void> {
    await this.scheduler?.idle();
  }

  /** Resolves when no occurrence is being handled any more, or one second later. */
  async stop(): Promise<void> {
    await this.scheduler?.stop();
    this.scheduler = null;
  }
}
