import { Logger } from '@nestjs/common';
import { detached, within } from '../../job/async.js';
import { printed } from '../../job/show-value.js';
import { DueSchedules, type DueSchedulesParts, RETRY_MS } from './due-schedules.js';

export type SchedulerParts = Omit<DueSchedulesParts, 'failed' | 'isStopped'>;

/** How often the store is read for changes by other processes: in real time, since they happen in it. */
const POLL_MS = 1_000;
/** The longest time between two looks without a poll, if the clock may be set forward. */
const MAX_SLEEP_MS = 60_000;
/** How long a store is left alone that cannot be read and had no schedule when it was read last. */
const QUIET_MS = 10_000;
/** The longest time that a stop waits for occurrences that are being handled. */
const LAST_MS = 1_000;
/** How long the store stays unreadable before that is logged again. */
const LOG_AGAIN_MS = 30_000;

/** Looks at the schedules whenever one may be due, with one timer for the earliest one. */
export class Scheduler {
  private readonly logger = new Logger('Flowrra');
  private readonly due: DueSchedules;
  private running: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  /** The timer is armed also while a poll looks at the store, so that a look is never forgotten. */
  private cancelTimer: (() => void) | null = null;
  private pollTimer: NodeJS.Timeout | null = null;
  /** Whether the last read found a schedule: without one, a store that cannot be read is not worth a log line. */
  private hasSchedules = false;
  private quietUntil = -Infinity;
  private loggedAt = -Infinity;

  constructor(private readonly parts: SchedulerParts) {
    this.due = new DueSchedules({
      ...parts,
      failed: (error, name) => this.failed(error, name),
      isStopped: () => this.stopped,
    });
  }

  /** Stores the declared schedules, and begins. */
  async start(): Promise<void> {
    await this.parts.declarations.declare();
    if (this.stopped) return;
    if (this.parts.isShared) this.pollTimer = setInterval(() => this.poll(), POLL_MS).unref();
    this.wake();
  }

  /**
   * Starts no more occurrences, and waits at most {@link LAST_MS} for those that are being handled. Another worker
   * goes on with one whose decision is stored, so an occurrence that is given up is not lost.
   */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer?.();
    if (this.pollTimer !== null) clearInterval(this.pollTimer);
    if (this.running === null) return;
    await within(LAST_MS, this.parts.clock, this.idle()).catch(() => undefined);
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

  private poll(): void {
    if (this.parts.clock.now() >= this.quietUntil) this.wake();
  }

  private async run(): Promise<void> {
    let next: number | null = null;
    // Work that was left over, or a change meanwhile, is looked at once more.
    while (this.again && !this.stopped) {
      this.again = false;
      next = await this.look();
      if (next === -Infinity) this.again = true;
    }
    if (this.stopped) return;
    this.cancelTimer?.();
    this.cancelTimer = next === null ? null : this.armed(next);
  }

  /** The time of the next look, as `DueSchedules.handle` gives it. */
  private async look(): Promise<number | null> {
    const { declarations, clock } = this.parts;
    try {
      await declarations.keepUp();
      const next = await this.due.handle();
      this.hasSchedules = next !== null;
      this.quietUntil = -Infinity;
      if (!this.due.hasDeferred) this.loggedAt = -Infinity;
      return next;
    } catch (error) {
      if (this.hasSchedules) this.failed(error);
      else this.quietUntil = clock.now() + QUIET_MS;
      return clock.now() + (this.hasSchedules ? RETRY_MS : QUIET_MS);
    }
  }

  private armed(at: number): () => void {
    const { clock, isShared } = this.parts;
    const canBeSet = clock.steady !== undefined;
    const ms = Math.min(Math.max(0, at - clock.now()), isShared || !canBeSet ? Infinity : MAX_SLEEP_MS);
    return detached(() => clock.after(ms, () => this.wake()));
  }

  /** One log line for all schedules, and another one if the failure lasts. */
  private failed(error: unknown, name?: string): void {
    // The stop closes the store, so an occurrence that was given up fails.
    if (this.stopped) return;
    const now = this.parts.clock.now();
    if (now - this.loggedAt < LOG_AGAIN_MS) return;
    this.loggedAt = now;
    const subject =
      name === undefined ? 'Schedules could not be read' : `The schedule '${name}' could not be handled`;
    this.logger.error(`${subject}, which is tried again every ${RETRY_MS} ms: ${printed(error)}`);
  }
}
