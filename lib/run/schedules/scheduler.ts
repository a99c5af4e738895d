import { Logger } from '@nestjs/common';
import { detached } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import type { PastOccurrence, Schedule } from '../../job/schedule/schedule.js';
import { printed } from '../../job/show-value.js';
import type { Declarations } from './declarations.js';
import type { Occurrences } from './occurrences.js';
import type { ScheduleRecord, ScheduleRecords } from './schedule-records.js';

export interface SchedulerParts {
  readonly records: ScheduleRecords;
  readonly occurrences: Occurrences;
  readonly declarations: Declarations;
  readonly clock: Clock;
  /** Whether other processes can change schedules. */
  readonly shared: boolean;
  /** The name of this worker. */
  readonly worker: string;
  /** Called with each occurrence that this worker has handled, once that is stored. */
  handled(schedule: Schedule, past: PastOccurrence): void;
}

/** How often the store is read for changes by other processes: in real time, since they happen in it. */
const POLL_MS = 1_000;
/** The longest time between two looks without a poll, if the clock may be set forward. */
const MAX_SLEEP_MS = 60_000;
/** How much later than the worker that handled the previous occurrence another one handles the next: up to twice as much. */
const TAKEOVER_MS = 50;
/** How long a schedule is left alone that could not be handled here. */
const RETRY_MS = 1_000;
/** How many schedules are read at a time: few while none is due. */
const IDLE_READ = 20;
const BUSY_READ = 200;
/** How long the store stays unreadable before that is logged again. */
const LOG_AGAIN_MS = 30_000;

/**
 * Handles the occurrences of schedules on one worker, with one timer for the earliest one. All workers do so: the
 * version in the store decides which of them has handled an occurrence. There is no leader and no lock.
 */
export class Scheduler {
  private readonly logger = new Logger('Flowrra');
  /** Schedules that could not be handled here, and when they are tried again. */
  private readonly deferred = new Map<string, number>();
  private readonly takeover = Math.round(TAKEOVER_MS * (1 + Math.random()));
  private running: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private cancelTimer: (() => void) | null = null;
  private pollTimer: NodeJS.Timeout | null = null;
  /** Whether the last read found a schedule: without one, a store that cannot be read is not worth a log line. */
  private hasSchedules = false;
  private loggedAt = -Infinity;

  constructor(private readonly parts: SchedulerParts) {}

  /** Stores the declared schedules, and begins. */
  async start(): Promise<void> {
    await this.parts.declarations.declare();
    if (this.parts.shared) this.pollTimer = setInterval(() => this.wake(), POLL_MS).unref();
    this.wake();
  }

  /** Starts no more occurrences, and waits for those that are being handled. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer?.();
    if (this.pollTimer !== null) clearInterval(this.pollTimer);
    await this.idle();
  }

  /** Resolves when no occurrence is being handled. */
  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  /** Schedules have changed in this process. */
  wake(): void {
    if (this.stopped) return;
    this.again = true;
    this.running ??= detached(() => this.run()).finally(() => {
      this.running = null;
      if (this.again) this.wake();
    });
  }

  private async run(): Promise<void> {
    this.cancelTimer?.();
    this.cancelTimer = null;
    let next: number | null = null;
    // Work that was left over, or a change meanwhile, is looked at once more.
    while (this.again && !this.stopped) {
      this.again = false;
      try {
        next = await this.round();
        if (this.deferred.size === 0) this.loggedAt = -Infinity;
      } catch (error) {
        if (this.hasSchedules) this.failed(error);
        next = RETRY_MS;
      }
    }
    if (next !== null && !this.stopped)
      this.cancelTimer = detached(() => this.parts.clock.after(next, () => this.wake()));
  }

  /** Handles the schedules that are due. Returns the milliseconds until the next look; `null` if there is no schedule. */
  private async round(): Promise<number | null> {
    const { records, clock, declarations, shared } = this.parts;
    const isSteady = clock.steady === undefined;
    await declarations.keepUp();
    let found = await records.earliest(IDLE_READ);
    if (found.length === IDLE_READ && this.due(found).length > 0) found = await records.earliest(BUSY_READ);
    this.hasSchedules = found.length > 0;
    if (!this.hasSchedules) return null;
    const due = this.due(found);
    if (due.length > 0) {
      this.again = true;
      await Promise.all(due.map((record) => this.handle(record)));
      return 0;
    }
    const earliest = Math.min(...found.map((record) => this.dueHere(record)));
    return Math.min(Math.max(0, earliest - clock.now()), shared || isSteady ? Infinity : MAX_SLEEP_MS);
  }

  private due<R extends ScheduleRecord & { readonly due: number }>(records: readonly R[]): readonly R[] {
    const now = this.parts.clock.now();
    return records.filter((record) => this.dueHere(record) <= now);
  }

  private dueHere({ schedule, due }: ScheduleRecord & { readonly due: number }): number {
    const deferred = this.deferred.get(schedule.name) ?? -Infinity;
    const own = schedule.lastWorker === null || schedule.lastWorker === this.parts.worker;
    return Math.max(own || !this.parts.shared ? due : due + this.takeover, deferred);
  }

  private async handle({ version, schedule }: ScheduleRecord): Promise<void> {
    const { records, occurrences, declarations, clock, handled } = this.parts;
    const { name } = schedule;
    try {
      if (!declarations.mayHandle(schedule)) {
        if (!(await declarations.orphan(version, schedule))) this.deferred.set(name, clock.now() + RETRY_MS);
        return;
      }
      const { schedule: next, past } = await occurrences.handle(schedule);
      if (await records.write(version, next)) for (const each of past) handled(next, each);
      this.deferred.delete(name);
    } catch (error) {
      this.deferred.set(name, clock.now() + RETRY_MS);
      this.failed(error, name);
    }
  }

  /** One log line for all schedules, and another one if the failure lasts. */
  private failed(error: unknown, name?: string): void {
    const now = this.parts.clock.now();
    if (now - this.loggedAt < LOG_AGAIN_MS) return;
    this.loggedAt = now;
    const subject =
      name === undefined ? 'Schedules could not be read' : `The schedule '${name}' could not be handled`;
    this.logger.error(`${subject}, which is tried again every ${RETRY_MS} ms: ${printed(error)}`);
  }
}
