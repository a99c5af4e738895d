import type { ResolvedTask } from '../job/policy.js';
import type { CpuTarget } from './threads/cpu-target.js';
import type { ContextSource } from './task-context.js';

/** What runs around a task's code. */
export interface TaskEnhancement {
  run(call: TaskCall, next: () => unknown): Promise<unknown>;
}

/** A task as the executor knows it: its name and policy, and how to call its code. */
export interface TaskDefinition extends ResolvedTask {
  /** Where `@TaskCtx()` stands among the parameters, or `null`. */
  readonly contextIndex: number | null;
  /** The number of parameters, if the last may be a context without `@TaskCtx()`; otherwise 0. */
  readonly untoldParameters: number;
  /** Calls the code on this thread, on the provider that Nest made. */
  invoke(args: unknown[], call: TaskCall): unknown;
  /** What runs around the code: guards and their like; `null` for a task that has nothing of it. */
  readonly pipeline: TaskEnhancement | null;
  /** Checks arguments where they are submitted: a copy, of which nothing is kept; `null` for a task that checks nothing. */
  readonly validate: ((args: unknown[]) => Promise<void>) | null;
  /** Where a thread finds the code; `null` for a task that runs on the main thread. */
  readonly target: CpuTarget | null;
}

/** One call of a task's code: also what its context is made of. */
export interface TaskCall extends ContextSource {
  /** A fresh copy that the task may change. */
  readonly args: unknown[];
  /** The reason of the abort; `undefined` before. */
  readonly reason: unknown;
  /** After an abort, the milliseconds the code may take to end by itself. */
  readonly killGrace: number;
  onAbort(listener: (reason: unknown) => void): void;
}

/** Where the code of a task runs. */
export interface TaskRunner {
  /** Runs one attempt. What it throws or rejects with is the attempt's error. */
  run(task: TaskDefinition, call: TaskCall): unknown;
  /** Ends what the runner holds. */
  close(): Promise<void>;
}
