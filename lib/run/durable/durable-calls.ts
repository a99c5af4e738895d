import type { Duration } from '../../job/duration.js';
import type { ChildOptions, StepCall } from '../../job/durable-options.js';

/** The calls of a task's context that its journal remembers. Arguments are as the task gave them. */
export interface DurableCalls {
  step(name: string, fn: (call: StepCall) => unknown, options: unknown): Promise<unknown>;
  sleep(name: string, until: Duration | Date): Promise<void>;
  waitFor(name: string, options: unknown): Promise<unknown>;
  call(options: ChildOptions, task: unknown, args: readonly unknown[]): Promise<unknown>;
  submit(options: ChildOptions, task: unknown, args: readonly unknown[]): Promise<string>;
  each(name: string, source: EachSource, options: unknown): AsyncIterable<unknown>;
}

/** The items after a cursor; all items without one. */
export type EachSource = (
  after?: never,
) => AsyncIterable<unknown> | Iterable<unknown> | Promise<AsyncIterable<unknown> | Iterable<unknown>>;
