import type { Clock } from '../../core/clock.js';
import {
  EngineError,
  ExecutorNotRunningError,
  PayloadError,
  ResultExpiredError,
  ResultNotFoundError,
} from '../../core/errors.js';
import type { FinishedTaskResult, TaskResult } from '../../core/task-result.js';
import { isFinal, type JobState, taskResultOf } from '../../core/task-snapshot.js';
import { ResultBackend, type WaitOptions } from '../../results/result-backend.js';
import { Waiters } from '../../results/waiters.js';
import { waitUntil } from '../../results/wait-until.js';
import { queueOf } from './id-mint.js';

/** However many are waited for: looking must not keep a server busy. */
const MOST_LOOKED_AFTER = 200;

export interface ResultsSource {
  readonly clock: Clock;
  readonly resultTtl: number;
  /** Whether the application has a queue of that name. */
  hasQueue(name: string): boolean;
  /** The state of a job, or `null` if there is none of that id. */
  state(taskId: string): Promise<JobState | null>;
  /** Sees to it that the end of this job will be heard of. */
  listen(taskId: string): Promise<void>;
  /** Whether that has been seen to. */
  listens(taskId: string): boolean;
  /** Whether the end of that job is about to be announced here. */
  isTelling(taskId: string): boolean;
  trouble(error: Error): void;
}

/** Results as BullMQ keeps them, and those who wait for one, whichever process it comes from. */
export class BullMqResults extends ResultBackend {
  private source: ResultsSource | null = null;
  private readonly waiters = new Waiters<string>();
  /** The last look at each job that is looked at. */
  private readonly looks = new Map<string, Promise<void>>();

  open(source: ResultsSource): void {
    this.source = source;
  }

  /** The job is the result already. */
  store(): void {}

  async get(taskId: string): Promise<TaskResult | null> {
    const state = await this.find(taskId);
    return state === null ? null : taskResultOf(state);
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    const { clock, listen, listens, trouble } = this.opened;
    // Listening takes a connection, for which a job that has ended is no reason.
    const ended = listens(taskId) ? null : await this.ended(taskId);
    if (ended !== null) return ended;
    return waitUntil(taskId, options, clock, (waiter) => {
      const leave = this.waiters.add(taskId, waiter);
      // It may have ended before anybody listened. If this fails, it is looked after all the same.
      listen(taskId).then(() => this.hear(taskId), trouble);
      return leave;
    });
  }

  /** That job may have ended. */
  hear(taskId: string): void {
    if (!this.waiters.has(taskId) || this.opened.isTelling(taskId)) return;
    // One after the other: when the first has found the end, the next has nothing to do.
    const looking = (this.looks.get(taskId) ?? Promise.resolve())
      .then(() => this.look(taskId))
      .catch(this.opened.trouble)
      .finally(() => {
        if (this.looks.get(taskId) === looking) this.looks.delete(taskId);
      });
    this.looks.set(taskId, looking);
  }

  /** Looks after some of those that are waited for: what it has not looked at for the longest time. */
  lookAfter(): void {
    for (const taskId of this.waiters.next(MOST_LOOKED_AFTER)) this.hear(taskId);
  }

  /** Resolves when every look that is under way is over. */
  async looked(): Promise<void> {
    await Promise.all(this.looks.values());
  }

  private async look(taskId: string): Promise<void> {
    if (!this.waiters.has(taskId)) return;
    const state = await this.find(taskId).catch((error: unknown) => {
      if (!(error instanceof PayloadError)) throw error;
      // It will be no more readable later.
      for (const waiter of this.waiters.take(taskId)) waiter(Promise.reject(error));
      return undefined;
    });
    if (state === undefined || (state !== null && !isFinal(state.status))) return;
    for (const waiter of this.waiters.take(taskId))
      waiter(
        state === null ? Promise.reject(this.missing(taskId)) : (taskResultOf(state) as FinishedTaskResult),
      );
  }

  override close(): void {
    this.source = null;
    for (const waiter of this.waiters.takeAll())
      waiter(
        Promise.reject(
          new ExecutorNotRunningError(
            'The executor stopped while this result was waited for. The job goes on; ask again after the next start.',
          ),
        ),
      );
  }

  /** The result of a job that has ended; `null` while it has not, or while the server is out of reach: a wait outlasts that. */
  private async ended(taskId: string): Promise<FinishedTaskResult | null> {
    const known = await this.find(taskId).catch((error: unknown) => {
      if (error instanceof EngineError) return undefined;
      throw error;
    });
    if (known === null) throw this.missing(taskId);
    return known !== undefined && isFinal(known.status) ? (taskResultOf(known) as FinishedTaskResult) : null;
  }

  /** BullMQ drops old results only when the next job ends, so age is judged here. */
  private async find(taskId: string): Promise<JobState | null> {
    const { clock, resultTtl, state } = this.opened;
    const found = await state(taskId);
    const old = found !== null && found.finishedAt !== null && found.finishedAt <= clock.now() - resultTtl;
    return old ? null : found;
  }

  private missing(taskId: string): Error {
    const queue = queueOf(taskId);
    if (queue === null)
      return new ResultNotFoundError(`No job '${taskId}' is known to any queue of this application.`);
    if (!this.opened.hasQueue(queue))
      return new ResultNotFoundError(
        `The job ${taskId} is of the queue '${queue}', which this application does not have. Give it the same queues as the one that submitted it.`,
      );
    return new ResultExpiredError(
      `The result of ${taskId} has been dropped, by resultTtl or maxResults. Raise them, or read results sooner.`,
    );
  }

  private get opened(): ResultsSource {
    if (this.source !== null) return this.source;
    throw new ExecutorNotRunningError('The engine is not connected.');
  }
}
