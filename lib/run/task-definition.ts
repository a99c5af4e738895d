import type { ResolvedTask } from '../job/policy.js';
import type { DurableHost } from './durable/durable-calls.js';
import type { CpuTarget } from './threads/protocol.js';
import type { ContextSource } from './task-context.js';

/** The enhancers around a task's code. */
export interface TaskEnhancement {
  run(call: TaskCall, next: () => unknown): Promise<unknown>;
}

/** A task that runs here: its name and policy, and how to call its code. */
export interface TaskDefinition extends ResolvedTask {
  /** The index of the `@TaskCtx()` parameter; `null` for none. */
  readonly contextIndex: number | null;
  /** The number of parameters, if the last may be a context that lacks `@TaskCtx()`; otherwise 0. */
  readonly undecoratedParameters: number;
  /** Calls the code on this thread, on the provider that Nest made. */
  invoke(args: unknown[], call: TaskCall): unknown;
  /** Guards, pipes, interceptors and filters; `null` if the task has none. */
  readonly pipeline: TaskEnhancement | null;
  /** Checks a copy of the arguments at the submission; `null` if the task checks none. */
  readonly validate: ((args: unknown[]) => Promise<void>) | null;
  /** The location of the code for a thread; `null` for a task that runs on the main thread. */
  readonly target: CpuTarget | null;
}

/** One call of a task's code. */
export interface TaskCall extends ContextSource {
  /** A fresh copy that the task may change. */
  readonly args: unknown[];
  /** The reason of the abort; `undefined` before. */
  readonly reason: unknown;
  /** The milliseconds that the code has to end after an abort. */
  readonly killGrace: number;
  onAbort(listener: (reason: unknown) => void): void;
}

/** A call by an attempt of this process. */
export interface HostedCall extends TaskCall {
  /** @throws {FlowrraConfigError} if the engine keeps no journals. */
  readonly durable: DurableHost;
}

/** Runs the code of tasks. */
export interface TaskRunner {
  /** Runs one attempt. An error that it throws, or rejects with, is the attempt's error. */
  run(task: TaskDefinition, call: HostedCall): unknown;
  /** Releases the runner's resources. */
  close(): Promise<void>;
}
