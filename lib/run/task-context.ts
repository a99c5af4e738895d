import type { Duration } from '../job/duration.js';
import type {
  ChildOptions,
  EachOptions,
  StepCall,
  StepOptions,
  WaitForOptions,
} from '../job/durable-options.js';
import { ONCE_RULES, type OnceOptions } from '../job/once-options.js';
import type { Metadata } from '../job/job.js';
import type { ScheduleMark } from '../job/metadata.js';
import { ChildCalls } from './child-calls.js';
import type { DurableCalls, EachSource } from './durable/durable-calls.js';
import type { OnceSource } from './once-source.js';
import { OnceNames } from './once-names.js';
import type { TaskOutput } from './task-types.js';

/** The occurrence of a schedule that a job runs for. */
export interface TaskSchedule {
  /** The schedule's name. */
  readonly name: string;
  /** The time of the occurrence, by the schedule: the attempt starts later. For a triggered job, the time of the trigger. */
  readonly at: Date;
  /** The number of missed occurrences that this job makes up for; 0 for a job that is on time. */
  readonly missed: number;
  /** Whether `schedules.trigger` submitted the job. */
  readonly manual: boolean;
}

/** The source of a {@link TaskContext}. */
export interface ContextSource {
  readonly taskId: string;
  readonly taskName: string;
  readonly attemptNumber: number;
  /** Milliseconds since the epoch. */
  readonly submittedAt: number;
  readonly priority: number;
  readonly metadata: Metadata;
  readonly schedule: ScheduleMark | undefined;
  readonly signal: AbortSignal;
  readonly parentId: string | null;
  /** @throws {FlowrraConfigError} if the engine keeps no journals. */
  readonly durable: DurableCalls;
  /** @throws {FlowrraConfigError} if there is no outbox. */
  readonly once: OnceSource;
  progress(value: unknown): void;
  log(line: string): void;
}

/**
 * The job of a running task, its signal, its progress and log, and the calls that make it durable: a method that uses
 * `step`, `sleep`, `waitFor`, `call`, `submit` or `each` is run again after a retry, a crash or a wait, and everything
 * that has finished under its name answers from the job's journal. To get it, decorate the last parameter
 * of the task with `@TaskCtx()`; callers leave that argument out.
 */
export abstract class TaskContext extends ChildCalls {
  /** The job's id, as `submit` returned it. */
  abstract readonly taskId: string;
  /** The name of its task. */
  abstract readonly taskName: string;
  /** The number of this attempt, from 1. Snoozing does not change the number. */
  abstract readonly attempt: number;
  /** When the job was submitted, by the submitter's clock. */
  abstract readonly submittedAt: Date;
  /** The job's priority; 0 if the submission gave none. */
  abstract readonly priority: number;
  /** The submitter's metadata; `{}` for none. */
  abstract readonly metadata: Metadata;
  /** The occurrence of a schedule; `null` for a job that was submitted otherwise. */
  abstract readonly schedule: TaskSchedule | null;
  /**
   * Aborted when the attempt should end: after its `timeout`, when its job is cancelled, and at the
   * deadline of a stopping application. Pass it to every call that accepts an `AbortSignal`.
   */
  abstract readonly signal: AbortSignal;
  /** The id of the job whose method has called this one by `ctx.call`; `null` for none. */
  abstract readonly parentId: string | null;

  /**
   * Runs a function once, and stores its result before it resolves with it. Its next attempt answers from the journal.
   * The function gets a `key` for services that accept an idempotency key: a crash between the function's effect and the
   * write of its result runs it again.
   *
   * The result is a payload, like that of a task. Steps of one name that follow each other are numbered; two at the same
   * time are refused. No other durable call is possible inside of a step.
   *
   * @param name 1 to 200 characters.
   * @throws {DurableTaskError} for a call that cannot work.
   * @throws {JournalFullError} if the journal is full.
   * @throws The error of the function, after its last retry.
   */
  abstract step<R>(
    name: string,
    fn: (call: StepCall) => R,
    options?: StepOptions<TaskOutput<R>>,
  ): Promise<TaskOutput<R>>;
  /**
   * Waits for a duration, or until a date, counted from the first time that the method reaches this call. The job is
   * suspended meanwhile: it holds no worker, and survives restarts.
   *
   * @param name 1 to 200 characters.
   */
  abstract sleep(name: string, until: Duration | Date): Promise<void>;
  /**
   * Waits for the next signal of this name, which `flowrra.signal` sends, and resolves with its value. Signals that come
   * first are kept. The job is suspended meanwhile.
   *
   * @throws {SignalTimeoutError} after `timeout`.
   */
  abstract waitFor<T = unknown>(name: string, options?: WaitForOptions): Promise<T>;
  /**
   * Goes through many items, and stores its position once a second: after a crash or a retry it goes on after the last
   * stored one. An item counts as done when the method asks for the next one, so the last items may come again.
   *
   * @param source Returns the items after a position; all items without one.
   */
  abstract each<T, C>(
    name: string,
    source: (after?: C) => AsyncIterable<T> | Iterable<T> | Promise<AsyncIterable<T> | Iterable<T>>,
    options: EachOptions<T, C>,
  ): AsyncIterable<T>;
  /** Options for child jobs: `ctx.with({ key: item.sku, queue: 'slow' }).call(this.stock.reserve, item)`. */
  abstract with(options: ChildOptions): ChildCalls;

  /**
   * Runs a block whose effects in the database of a transaction happen once, however often the job runs: the block
   * leaves a row in the same transaction. A later attempt finds it, skips the block, and resolves with its result, which
   * is a payload, like that of a task. Needs `forRoot({ outbox })`.
   *
   * @param transaction As for `flowrra.within()`. Commit it after the call.
   * @throws {FlowrraConfigError} unless it is a transaction of the outbox's database.
   * @throws {Error} for a name that has taken effect before in the same attempt, as in a loop without names.
   * @throws the errors of the block and of the database.
   */
  abstract once<R>(transaction: object, fn: () => R, options?: OnceOptions): Promise<TaskOutput<R>>;
  /**
   * {@link once} in a transaction of a library that is not asynchronous, such as better-sqlite3. Neither is the block.
   *
   * @throws {FlowrraConfigError} if the library or the block is asynchronous.
   */
  abstract onceSync<R>(transaction: object, fn: () => R, options?: OnceOptions): TaskOutput<R>;

  /**
   * Reports the progress of the task: a number, or any plain data of at most 16 KiB. It is readable
   * while the job runs, as `progress` of its result and in `events$`; the latest value is stored. Call
   * it as often as you like: at most a few values a second are stored.
   *
   * @throws {PayloadError} if the value cannot be serialized, or is too large.
   */
  abstract progress(value: unknown): void;
  /** Adds a line to the job's log, which `flowrra.jobs.get(taskId)` returns: the last 200 lines, of 2,000 characters each. */
  abstract log(line: string): void;
}

/** The context of one attempt. */
export class AttemptContext extends TaskContext {
  private blocks: OnceNames | null = null;

  constructor(private readonly source: ContextSource) {
    super();
  }

  get taskId(): string {
    return this.source.taskId;
  }

  get taskName(): string {
    return this.source.taskName;
  }

  get attempt(): number {
    return this.source.attemptNumber;
  }

  get submittedAt(): Date {
    return new Date(this.source.submittedAt);
  }

  get priority(): number {
    return this.source.priority;
  }

  get metadata(): Metadata {
    return this.source.metadata;
  }

  get schedule(): TaskSchedule | null {
    const { schedule } = this.source;
    return schedule === undefined ? null : { ...schedule, at: new Date(schedule.at) };
  }

  get signal(): AbortSignal {
    return this.source.signal;
  }

  progress(value: unknown): void {
    this.source.progress(value);
  }

  log(line: string): void {
    this.source.log(line);
  }

  get parentId(): string | null {
    return this.source.parentId;
  }

  async step<R>(
    name: string,
    fn: (call: StepCall) => R,
    options?: StepOptions<TaskOutput<R>>,
  ): Promise<TaskOutput<R>> {
    return (await this.source.durable.step(name, fn, options)) as TaskOutput<R>;
  }

  async sleep(name: string, until: Duration | Date): Promise<void> {
    return this.source.durable.sleep(name, until);
  }

  async waitFor<T>(name: string, options?: WaitForOptions): Promise<T> {
    return (await this.source.durable.waitFor(name, options)) as T;
  }

  each<T, C>(
    name: string,
    source: (after?: C) => AsyncIterable<T> | Iterable<T> | Promise<AsyncIterable<T> | Iterable<T>>,
    options: EachOptions<T, C>,
  ): AsyncIterable<T> {
    return this.source.durable.each(name, source as EachSource, options) as AsyncIterable<T>;
  }

  async once<R>(transaction: object, fn: () => R, options?: OnceOptions): Promise<TaskOutput<R>> {
    const block = this.block(fn, options);
    const result = await this.source.once.once(transaction, this.taskId, block.name, block.run);
    block.end();
    return result as TaskOutput<R>;
  }

  onceSync<R>(transaction: object, fn: () => R, options?: OnceOptions): TaskOutput<R> {
    const block = this.block(fn, options);
    const result = this.source.once.onceSync(transaction, this.taskId, block.name, block.run);
    block.end();
    return result as TaskOutput<R>;
  }

  with(options: ChildOptions): ChildCalls {
    return new ChildCallsWith(this.source, options);
  }

  private block(fn: () => unknown, options: OnceOptions = {}) {
    const names = (this.blocks ??= new OnceNames());
    const name = names.use(ONCE_RULES.resolve(options, 'ctx.once()', '').name, fn);
    let isSkipped = true;
    return {
      name,
      run(): unknown {
        isSkipped = false;
        return fn();
      },
      end: () => names.end(name, isSkipped),
    };
  }

  protected start(kind: 'call' | 'submit', task: unknown, args: readonly unknown[]): Promise<unknown> {
    return startChild(this.source, {}, kind, task, args);
  }
}

class ChildCallsWith extends ChildCalls {
  constructor(
    private readonly source: ContextSource,
    private readonly options: ChildOptions,
  ) {
    super();
  }

  protected start(kind: 'call' | 'submit', task: unknown, args: readonly unknown[]): Promise<unknown> {
    return startChild(this.source, this.options, kind, task, args);
  }
}

async function startChild(
  { durable }: ContextSource,
  options: ChildOptions,
  kind: 'call' | 'submit',
  task: unknown,
  args: readonly unknown[],
): Promise<unknown> {
  return kind === 'call' ? durable.call(options, task, args) : durable.submit(options, task, args);
}
