import type { Clock } from '../../../job/clock.js';
import {
  ExecutorNotRunningError,
  PayloadError,
  ResultExpiredError,
  ResultNotFoundError,
} from '../../../job/errors.js';
import type { FinishedTaskResult, TaskResult } from '../../../job/task-result.js';
import { isFinal } from '../../../job/status.js';
import { type JobState } from '../../../job/job.js';
import { taskResultOf } from '../../../job/task-snapshot.js';
import { AbortListeners } from '../../../results/abort-listeners.js';
import { ResultBackend, type WaitOptions } from '../../../results/result-backend.js';
import { Waiters } from '../../../results/waiters.js';
import { waitUntil } from '../../../results/wait-until.js';
import { queueOf } from '../id-generator.js';

/** However many are waited for: looking must not keep a server busy. */
const MOST_LOOKED_AFTER = 200;

/** A job's state, and the queue where it was found. */
export interface FoundState {
  readonly queue: string;
  readonly state: JobState;
}

/** A look that is under way. */
interface Look {
  /** Whether the job may have ended since it began. */
  again: boolean;
  readonly over: Promise<void>;
}

export interface ResultsSource {
  readonly clock: Clock;
  readonly resultTtl: number;
  /** Whether the application has a queue of that name. */
  hasQueue(name: string): boolean;
  /** `null` if there is no job of that id. */
  find(taskId: string): Promise<FoundState | null>;
  /** Sees to it that the end of a queue's jobs will be heard of. */
  listen(queue: string): Promise<unknown>;
  /** Whether that has been seen to. */
  listens(queue: string): boolean;
  /** Whether the end of that job is about to be announced here. */
  isTelling(taskId: string): boolean;
  trouble(error: Error): void;
}

/** Results as BullMQ keeps them, and those who wait for one, whichever process it comes from. */
export class BullMqResults extends ResultBackend {
  private source: ResultsSource | null = null;
  private readonly waiters = new Waiters<string>();
  private readonly aborts = new AbortListeners();
  /** By the job that is looked at. */
  private readonly looks = new Map<string, Look>();

  open(source: ResultsSource): void {
    this.source = source;
  }

  /** The job is the result already. */
  store(): void {}

  async get(taskId: string): Promise<TaskResult | null> {
    const found = await this.find(taskId);
    return found === null ? null : taskResultOf(found.state);
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    return waitUntil(taskId, options, this.opened.clock, this.aborts, (waiter) => {
      const isFirst = !this.waiters.has(taskId);
      const leave = this.waiters.add(taskId, waiter);
      // Looks are for all who wait for a job.
      if (isFirst) this.hear(taskId);
      return leave;
    });
  }

  /** That job may have ended. */
  hear(taskId: string): void {
    if (!this.waiters.has(taskId) || this.opened.isTelling(taskId)) return;
    const underWay = this.looks.get(taskId);
    if (underWay !== undefined) underWay.again = true;
    else this.looks.set(taskId, { again: false, over: this.lookAt(taskId) });
  }

  /** Looks after some of those that are waited for: what it has not looked at for the longest time. */
  lookAfter(): void {
    for (const taskId of this.waiters.next(MOST_LOOKED_AFTER)) this.hear(taskId);
  }

  /** Resolves when every look that is under way is over. */
  async looked(): Promise<void> {
    await Promise.all([...this.looks.values()].map(({ over }) => over));
  }

  private async lookAt(taskId: string): Promise<void> {
    const { trouble } = this.opened;
    await this.look(taskId).catch(trouble);
    const again = this.looks.get(taskId)?.again === true && this.waiters.has(taskId);
    this.looks.delete(taskId);
    if (again && this.source !== null) this.hear(taskId);
  }

  private async look(taskId: string): Promise<void> {
    const found = await this.find(taskId).catch((error: unknown) => {
      if (!(error instanceof PayloadError)) throw error;
      // It will be no more readable later.
      for (const waiter of this.waiters.take(taskId)) waiter(Promise.reject(error));
      return undefined;
    });
    if (found === undefined) return;
    if (found !== null && !isFinal(found.state.status)) return this.listenFor(taskId, found.queue);
    for (const waiter of this.waiters.take(taskId))
      waiter(
        found === null
          ? Promise.reject(this.missing(taskId))
          : (taskResultOf(found.state) as FinishedTaskResult),
      );
  }

  /** Only now: listening takes a connection, for which a job that has ended is no reason. */
  private listenFor(taskId: string, queue: string): void {
    const { listens, listen, trouble } = this.opened;
    // It may have ended before anybody listened. If this fails, it is looked after all the same.
    if (!listens(queue)) listen(queue).then(() => this.hear(taskId), trouble);
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

  /** BullMQ drops old results only when the next job ends, so age is judged here. */
  private async find(taskId: string): Promise<FoundState | null> {
    const { clock, resultTtl, find } = this.opened;
    const found = await find(taskId);
    const finishedAt = found?.state.finishedAt ?? null;
    return finishedAt !== null && finishedAt <= clock.now() - resultTtl ? null : found;
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
