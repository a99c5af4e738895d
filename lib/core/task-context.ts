import type { AbortHandle } from '../engine/engine.interface.js';

/**
 * What a running task knows of its job. Ask for it with a last parameter decorated with
 * `@TaskCtx()`; callers leave that argument out.
 */
export abstract class TaskContext {
  /** Makes the type nominal, so that only a real context is left out of a task's arguments. */
  declare private readonly _taskContext: true;

  /** The job's id, as `submit` returned it. */
  abstract readonly taskId: string;
  abstract readonly taskName: string;
  /** The number of this attempt, from 1. A snoozed job comes back with the same number. */
  abstract readonly attempt: number;
  /**
   * Aborted when the attempt should end: its `timeout` is over, or the application is stopping
   * and its deadline has come. Pass it to whatever can be interrupted.
   */
  abstract readonly signal: AbortSignal;
}

/** The context of an attempt that runs on the main thread. */
export class AttemptContext extends TaskContext {
  constructor(
    readonly taskId: string,
    readonly taskName: string,
    readonly attempt: number,
    private readonly abort: AbortHandle,
  ) {
    super();
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }
}
