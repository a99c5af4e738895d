import { ExecutorStoppingError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import type { Run } from './run.js';

/** Tells when an engine has neither running attempts nor outcomes that are not stored. */
export interface IdleSignal {
  readonly isIdle: boolean;
  /** Resolves when the engine is idle, or after `ms` milliseconds. */
  until(ms: number): Promise<void>;
}

/** The runs of this process that have no outcome yet. */
export class Runs implements Iterable<Run> {
  private readonly runs = new Set<Run>();

  get size(): number {
    return this.runs.size;
  }

  has(run: Run): boolean {
    return this.runs.has(run);
  }

  add(run: Run): void {
    this.runs.add(run);
  }

  delete(run: Run): void {
    this.runs.delete(run);
  }

  [Symbol.iterator](): Iterator<Run> {
    return this.runs.values();
  }

  /** The run of that very attempt; `undefined` if it is over. */
  of(attempt: Attempt): Run | undefined {
    for (const run of this.runs) if (run.attempt === attempt) return run;
    return undefined;
  }

  /** Waits until the engine is idle, then ends the runs that are left. Returns how many it has abandoned. */
  async drain(graceMs: number, killMs: number, idle: IdleSignal): Promise<number> {
    if (graceMs > 0) await idle.until(graceMs);
    return this.end(killMs, idle);
  }

  /** Aborts all runs, and abandons those that have not ended `killMs` later. Returns how many it has abandoned. */
  async end(killMs: number, idle: IdleSignal): Promise<number> {
    if (this.size > 0) {
      const reason = new ExecutorStoppingError(
        'The application is stopping, and the deadline for running tasks has passed.',
      );
      for (const run of this.runs) run.stop(reason);
    }
    if (killMs > 0 && !idle.isIdle) await idle.until(killMs);
    const left = [...this.runs];
    for (const run of left) run.abandon();
    return left.length;
  }
}
