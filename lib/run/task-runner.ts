import type { ContextSource } from './task-context.js';
import type { TaskDefinition } from './task-definition.js';
import type { AbortHandle } from '../engine/engine.js';

/** Where the code of a task runs. */
export interface TaskRunner {
  /** Runs one attempt. What it throws or rejects with is the attempt's error. */
  run(task: TaskDefinition, call: TaskCall): unknown;
  /** Ends what the runner holds. */
  close(): Promise<void>;
}

/** One call of a task's code: also what its context is made of. */
export interface TaskCall extends ContextSource {
  /** A fresh copy that the task may change. */
  readonly args: unknown[];
  readonly abort: AbortHandle;
  /** After an abort, the milliseconds the code may take to end by itself. */
  readonly killGrace: number;
}
