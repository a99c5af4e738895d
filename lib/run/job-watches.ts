import type { Subscriber } from 'rxjs';
import type { JobControl } from '../engine/control.js';
import type { ConnectedEngine } from '../engine/engine.js';
import { detached, within } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import { ExecutorNotRunningError } from '../job/errors.js';
import type { JobRow } from '../job/job.js';
import type { TaskUpdate } from '../job/task-update.js';
import type { ResultBackend } from '../results/result-backend.js';
import type { EventHub } from './event-hub.js';
import { JobWatch, type WatchHost } from './job-watch.js';

/** The shortest time between two passes over the jobs that other processes may have changed. */
const PASS_MS = 250;
/** The most jobs that one pass reads. */
const MAX_READ = 100;
/** Every watched job is read at this interval, since the engine's messages about other processes may be lost. */
const CHECK_MS = 1_000;
/** The longest time that a stop waits for the last look at the watched jobs. */
const LAST_LOOK_MS = 1_000;

export interface WatchParts {
  readonly clock: Clock;
  readonly hub: Pick<EventHub, 'watch'>;
  readonly control: Pick<JobControl, 'job'> | undefined;
  /** @throws {FlowrraConfigError} if the engine has no results and no backend is configured. */
  results(): ResultBackend;
  readonly engine: Pick<ConnectedEngine, 'watch'>;
  /** Whether other processes may change jobs. */
  readonly isShared: boolean;
}

/**
 * The watched jobs. A job is read at once when this process has stored a change of it. If other processes share the
 * engine, a job is also read soon after the engine's message about it, and each second.
 */
export class JobWatches implements WatchHost {
  private readonly watches = new Map<string, JobWatch>();
  /** Functions to call at the end of each watch. */
  private readonly cleanups = new Map<JobWatch, (() => void)[]>();
  /** The jobs that other processes may have changed. */
  private readonly changed = new Set<JobWatch>();
  private cancelPass: (() => void) | null = null;
  private cancelCheck: (() => void) | null = null;
  private isClosed = false;

  constructor(private readonly parts: WatchParts) {}

  get control(): WatchHost['control'] {
    return this.parts.control;
  }

  get results(): ResultBackend {
    return this.parts.results();
  }

  /**
   * Returns a function that ends the subscription.
   *
   * @throws {ExecutorNotRunningError} after {@link close}.
   */
  subscribe(taskId: string, subscriber: Subscriber<TaskUpdate>): () => void {
    if (this.isClosed) throw stopped();
    const known = this.watches.get(taskId);
    if (known !== undefined) return known.add(subscriber);
    const watch = new JobWatch(taskId, this);
    this.watches.set(taskId, watch);
    const look = (): void => void detached(() => watch.look());
    this.cleanups.set(watch, [this.parts.hub.watch(taskId, look)]);
    const remove = watch.add(subscriber);
    look();
    return remove;
  }

  /** Ends all watches, after a last look: a job may have ended with the stop. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(
      [...this.watches.values()].map(async (watch) => {
        await within(LAST_LOOK_MS, this.parts.clock, watch.look()).catch(() => undefined);
        watch.fail(stopped());
      }),
    );
  }

  found(watch: JobWatch, job: Pick<JobRow, 'taskId' | 'queue'>): void {
    if (!this.parts.isShared) return;
    const unwatch = this.parts.engine.watch?.(job, () => this.mayHaveChanged(watch));
    if (unwatch !== undefined) this.cleanups.get(watch)?.push(unwatch);
    this.checkLater();
  }

  ended(watch: JobWatch): void {
    for (const cleanup of this.cleanups.get(watch) ?? []) cleanup();
    this.cleanups.delete(watch);
    this.watches.delete(watch.taskId);
    this.changed.delete(watch);
    if (this.watches.size > 0) return;
    this.cancelPass?.();
    this.cancelCheck?.();
    this.cancelPass = null;
    this.cancelCheck = null;
  }

  private mayHaveChanged(watch: JobWatch): void {
    if (!this.cleanups.has(watch)) return;
    this.changed.add(watch);
    if (this.cancelPass !== null) return;
    let isCancelled = false;
    this.cancelPass = () => (isCancelled = true);
    // One pass for all messages of this turn of the event loop.
    detached(() => queueMicrotask(() => isCancelled || this.pass()));
  }

  /** Reads the jobs that have waited for the longest time, and the others in later passes. */
  private readonly pass = (): void => {
    this.cancelPass = null;
    if (this.changed.size === 0) return;
    let read = 0;
    for (const watch of this.changed) {
      if (read++ === MAX_READ) break;
      this.changed.delete(watch);
      void watch.look();
    }
    this.cancelPass = this.parts.clock.after(PASS_MS, this.pass, { background: true });
  };

  private checkLater(): void {
    if (this.cancelCheck !== null) return;
    const check = (): void => {
      this.cancelCheck = null;
      for (const watch of this.watches.values()) this.mayHaveChanged(watch);
      this.checkLater();
    };
    this.cancelCheck = detached(() => this.parts.clock.after(CHECK_MS, check, { background: true }));
  }
}

function stopped(): ExecutorNotRunningError {
  return new ExecutorNotRunningError(
    'Flowrra has stopped, so it watches no jobs. If the engine keeps jobs, watch this one again after the next start.',
  );
}
