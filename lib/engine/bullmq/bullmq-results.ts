import type { Clock } from '../../core/clock.js';
import {
  EngineError,
  ExecutorNotRunningError,
  ResultExpiredError,
  ResultNotFoundError,
} from '../../core/errors.js';
import type { FinishedTaskResult, TaskResult } from '../../core/task-result.js';
import { isFinal, type JobState, taskResultOf } from '../../core/task-snapshot.js';
import { ResultBackend, type WaitOptions } from '../../results/result-backend.js';
import { waitUntil } from '../../results/wait-until.js';
import { queueOf } from './id-mint.js';

/** However many are waited for: looking must not keep a server busy. */
const MOST_LOOKED_AFTER = 200;

type Waiter = (result: FinishedTaskResult | Promise<never>) => void;

export interface ResultsSource {
  readonly clock: Clock;
  readonly resultTtl: number;
  /** Whether the application has a queue of that name. */
  hasQueue(name: string): boolean;
  /** The state of a job, or `null` if there is none of that id. */
  state(taskId: string): Promise<JobState | null>;
  /** Sees to it that the end of this job will be heard of. Says whether to look now. */
  listen(taskId: string): Promise<boolean>;
  trouble(error: Error): void;
}

/** Results as BullMQ keeps them, and those who wait for one, whichever process it comes from. */
export class BullMqResults extends ResultBackend {
  private source: ResultsSource | null = null;
  private readonly waiters = new Map<string, Set<Waiter>>();

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
    const { clock, listen, trouble } = this.opened;
    // While the server is out of reach, the job is looked after like any other: that outlasts it.
    const known = await this.find(taskId).catch((error: unknown) => {
      if (error instanceof EngineError) return undefined;
      throw error;
    });
    if (known === null) throw this.missing(taskId);
    if (known !== undefined && isFinal(known.status)) return taskResultOf(known) as FinishedTaskResult;
    return waitUntil(taskId, options, clock, (waiter) => {
      const leave = this.subscribe(taskId, waiter);
      // It may have ended before anybody listened. If this fails, it is looked after all the same.
      listen(taskId)
        .then((now) => (now ? this.look(taskId) : undefined))
        .catch(trouble);
      return leave;
    });
  }

  isAwaited(taskId: string): boolean {
    return this.waiters.has(taskId);
  }

  /** Some of the jobs that somebody waits for: those that it has not named for the longest time. */
  nextAwaited(): string[] {
    const next = [...this.waiters.keys()].slice(0, MOST_LOOKED_AFTER);
    for (const taskId of next) {
      const waiters = this.waiters.get(taskId) as Set<Waiter>;
      this.waiters.delete(taskId);
      this.waiters.set(taskId, waiters);
    }
    return next;
  }

  /** Looks whether a job that somebody waits for has ended. */
  async look(taskId: string): Promise<void> {
    if (!this.waiters.has(taskId)) return;
    const state = await this.find(taskId);
    if (state !== null && !isFinal(state.status)) return;
    const waiters = this.waiters.get(taskId) ?? [];
    this.waiters.delete(taskId);
    for (const waiter of waiters)
      waiter(
        state === null ? Promise.reject(this.missing(taskId)) : (taskResultOf(state) as FinishedTaskResult),
      );
  }

  override close(): void {
    this.source = null;
    const all = [...this.waiters.values()];
    this.waiters.clear();
    for (const waiters of all) {
      for (const waiter of waiters)
        waiter(
          Promise.reject(
            new ExecutorNotRunningError(
              'The executor stopped while this result was waited for. The job goes on; ask again after the next start.',
            ),
          ),
        );
    }
  }

  /** BullMQ drops old results only when the next job ends, so age is judged here. */
  private async find(taskId: string): Promise<JobState | null> {
    const { clock, resultTtl, state } = this.opened;
    const found = await state(taskId);
    const old = found !== null && found.finishedAt !== null && found.finishedAt <= clock.now() - resultTtl;
    return old ? null : found;
  }

  private subscribe(taskId: string, waiter: Waiter): () => void {
    const waiters = this.waiters.get(taskId) ?? new Set<Waiter>();
    this.waiters.set(taskId, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.waiters.get(taskId) === waiters) this.waiters.delete(taskId);
    };
  }

  private missing(taskId: string): Error {
    const queue = queueOf(taskId);
    if (queue === null)
      return new ResultNotFoundError(`No job ${taskId} is known to any queue of this application.`);
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
