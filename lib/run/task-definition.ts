import type { ResolvedTask } from '../job/policy.js';
import type { CpuTarget } from './threads/cpu-target.js';
import type { ContextSource } from './task-context.js';

/** The guards, pipes, interceptors and filters of a task. */
export interface TaskEnhancement {
  run(call: TaskCall, next: () => unknown): Promise<unknown>;
}

/** A task for its runs: its name, its policy, and how to call its code. */
export interface TaskDefinition extends ResolvedTask {
  /** The index of the parameter with `@TaskCtx()`; `null` for none. */
  readonly contextIndex: number | null;
  /** The number of parameters, if the last may be a context without `@TaskCtx()`; otherwise 0. */
  readonly untoldParameters: number;
  /** Calls the code on this thread, on the provider that Nest made. */
  invoke(args: unknown[], call: TaskCall): unknown;
  /** `null` for a task without enhancers. */
  readonly pipeline: TaskEnhancement | null;
  /** Checks a copy of the arguments at the submission; `null` for a task that checks nothing. */
  readonly validate: ((args: unknown[]) => Promise<void>) | null;
  /** Where a thread finds the code; `null` for a task that runs on the main thread. */
  readonly target: CpuTarget | null;
}

/** One call of a task's code, and the source of its `TaskContext`. */
export interface TaskCall extends ContextSource {
  /** A fresh copy that the task may change. */
  readonly args: unknown[];
  /** The reason of the abort; `undefined` before. */
  readonly reason: unknown;
  /** The milliseconds that the code may take to end after an abort. */
  readonly killGrace: number;
  onAbort(listener: (reason: unknown) => void): void;
}

/** Runs the code of tasks: on the main thread, or in threads. */
export interface TaskRunner {
  /** Runs one attempt. An exception or rejection is the attempt's error. */
  run(task: TaskDefinition, call: TaskCall): unknown;
  /** Ends the threads, if there are any. */
  close(): Promise<void>;
}
