import type { TaskCall, TaskDefinition } from './task-definition.js';

/** Where the code of a task runs. */
export interface TaskRunner {
  /** Runs one attempt. What it throws or rejects with is the attempt's error. */
  run(task: TaskDefinition, call: TaskCall): unknown;
  /** Ends what the runner holds. */
  close(): Promise<void>;
}
