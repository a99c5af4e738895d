import { ExecutorStoppingError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import type { Run } from './run.js';

/** Tells when an engine has neither running attempts nor outcomes that are not stored. */
export interface IdleSignal {
  readonly isIdle: boolean;
  /** Resolves when the engine is idle, or after `ms` milliseconds. */
  until(ms: number): Promise<void>;
}

/**
 * The runs of this process that have no outcome yet.
 *
 * An array in which each run knows its index, and not a `Set`: at each rehash, V8 links the former table of a `Set`
 * to the new one, so that ended runs survive minor garbage collections. That made a job on memory 6% slower.
 */
export class Runs implements Iterable<Run> {
  private readonly runs: Run[] = [];

  get size(): number {
    return this.runs.length;
  }

  has(run: Run): boolean {
    return this.runs[run.index] === run;
  }

  add(run: Run): void {
    run.index = this.runs.push(run) - 1;
  }

  delete(run: Run): void {
    if (!this.has(run)) return;
    const last = this.runs.pop() as Run;
    if (last === run) return;
    this.runs[run.index] = last;
    last.index = run.index;
  }

  [Symbol.iterator](): Iterator<Run> {
    return [...this.runs].values();
  }

  /** The run of that very attempt; `undefined` if it is over. */
  of(attempt: Attempt): Run | undefined {
    return this.runs.find((run) => run.attempt === attempt);
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
      for (const run of this) run.stop(reason);
    }
    if (killMs > 0 && !idle.isIdle) await idle.until(killMs);
    const left = [...this];
    for (const run of left) run.abandon();
    return left.length;
  }
}
