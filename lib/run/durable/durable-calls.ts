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

/** Where an `each` has come to. */
export interface EachPosition {
  /** Whether all items are done. */
  readonly isDone: boolean;
  /** The number of items that are done. */
  readonly items: number;
  /** The cursor of the last item that is done, as JSON; `undefined` before the first one. */
  readonly cursor: unknown;
  store(items: number, cursor: unknown, isDone: boolean): Promise<void>;
  /** The loop has ended, with or without its last item. */
  end(): Promise<void> | void;
  /** The attempt is not suspended while `fn` runs. */
  active<T>(fn: () => Promise<T>): Promise<T>;
}

/** The durable calls of an attempt whose code may run in a thread. */
export interface DurableHost extends DurableCalls {
  openEach(name: string): Promise<EachPosition>;
  /** Keeps the attempt from being suspended until the returned function is called. */
  hold(): () => void;
  follow(follower: CodeFollower): void;
  /** The code has died with its thread, so its steps cannot be undone by this attempt. */
  codeLost(): void;
}

/** Is told of the end of an attempt's code. */
export interface CodeFollower {
  /** The code waits, and does not go on. Its steps may be undone yet. */
  suspended(): void;
  /** No function of the code is called any more. */
  over(): void;
}
