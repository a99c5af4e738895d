import { ExecutorNotRunningError, PayloadError, ResultNotFoundError } from '../../../job/errors.js';
import { type JobState, isFinal } from '../../../job/job.js';
import {
  type FinishedTaskResult,
  type TaskResult,
  droppedResult,
  taskResultOf,
} from '../../../job/task-result.js';
import { AbortListeners, waitUntil } from '../../../results/wait-until.js';
import { ResultBackend, type WaitOptions } from '../../../results/result-backend.js';
import { Waiters } from '../../../results/waiters.js';
import type { BullMqParts } from '../bullmq-parts.js';
import { queueOf } from '../id-generator.js';
import { stateOf } from './job-row.js';

/** The most jobs that {@link BullMqResults.checkSome} reads, whatever the number of waits. */
const MAX_CHECKED = 200;

interface FoundState {
  readonly queue: string;
  readonly state: JobState;
}

/** A running check of a job. */
interface Check {
  /** Whether the job may have ended since the check began. */
  again: boolean;
  readonly over: Promise<void>;
}

/** The results that BullMQ stores in its jobs, and waits for them. */
export class BullMqResults extends ResultBackend {
  private readonly waiters = new Waiters<string>();
  private readonly aborts = new AbortListeners();
  /** By job. */
  private readonly checks = new Map<string, Check>();
  private closed = false;

  constructor(private readonly parts: BullMqParts) {
    super();
    parts.listeners.subscribe((taskId) => this.mayHaveEnded(taskId));
  }

  /** The job holds its result. */
  store(): void {}

  async get(taskId: string): Promise<TaskResult | null> {
    const found = await this.find(taskId);
    return found === null ? null : taskResultOf(found.state);
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    if (this.closed) throw new ExecutorNotRunningError('The engine was closed: it returns no results.');
    return waitUntil(taskId, options, this.parts.host.clock, this.aborts, (waiter) => {
      const isFirst = !this.waiters.has(taskId);
      const leave = this.waiters.add(taskId, waiter);
      // All waits for a job share its checks.
      if (isFirst) this.mayHaveEnded(taskId);
      return leave;
    });
  }

  /** Checks that job if a wait for it exists. */
  mayHaveEnded(taskId: string): void {
    if (!this.waiters.has(taskId) || this.parts.runs.isStoring(taskId)) return;
    const running = this.checks.get(taskId);
    if (running !== undefined) running.again = true;
    else this.checks.set(taskId, { again: false, over: this.check(taskId) });
  }

  /** Checks those of the awaited jobs that were not checked for the longest time: events may be lost. */
  checkSome(): void {
    for (const taskId of this.waiters.next(MAX_CHECKED)) this.mayHaveEnded(taskId);
  }

  /** Resolves when all running checks are over. */
  async checked(): Promise<void> {
    await Promise.all([...this.checks.values()].map(({ over }) => over));
  }

  override close(): void {
    this.closed = true;
    for (const waiter of this.waiters.takeAll())
      waiter(
        Promise.reject(
          new ExecutorNotRunningError(
            'The executor stopped during a wait for this result. The job goes on: query its result after the next start.',
          ),
        ),
      );
  }

  private async check(taskId: string): Promise<void> {
    await this.read(taskId).catch(this.parts.outages.report);
    const again = this.checks.get(taskId)?.again === true && this.waiters.has(taskId);
    this.checks.delete(taskId);
    if (again && !this.closed) this.mayHaveEnded(taskId);
  }

  private async read(taskId: string): Promise<void> {
    let found: FoundState | null;
    try {
      found = await this.find(taskId);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      // A later read would find the same.
      return this.settle(taskId, () => Promise.reject(error));
    }
    if (found === null) return this.settle(taskId, () => Promise.reject(this.missing(taskId)));
    const { queue, state } = found;
    if (!isFinal(state.status)) return this.listenTo(queue, taskId);
    this.settle(taskId, () => taskResultOf(state) as FinishedTaskResult);
  }

  /** @param resultFor Called for each wait: no two share a result. */
  private settle(taskId: string, resultFor: () => FinishedTaskResult | Promise<never>): void {
    for (const waiter of this.waiters.take(taskId)) waiter(resultFor());
  }

  /** A listener holds a connection, so it is opened only when a job has not ended yet. */
  private listenTo(queue: string, taskId: string): void {
    const { listeners, outages } = this.parts;
    if (listeners.isListening(queue)) return;
    // The job may end before the listener is ready. Without a listener, `checkSome` finds the end.
    listeners.listen(queue).then(() => this.mayHaveEnded(taskId), outages.report);
  }

  /** @throws {PayloadError} if the result cannot be read. */
  private find(taskId: string): Promise<FoundState | null> {
    const { reads, queues, jobs } = this.parts;
    return reads.run(async () => {
      const found = await queues.find(taskId);
      if (found === null) return null;
      const { queue, list, job } = found;
      // A job that was never started is not suspended.
      const mayBeSuspended = list === 'delayed' && job.attemptsStarted !== 0;
      const [delayed] = mayBeSuspended ? await jobs.delays([{ queue, taskId }]) : [];
      return { queue, state: stateOf(job, list, delayed) };
    });
  }

  private missing(taskId: string): Error {
    const queue = queueOf(taskId);
    if (queue === null) return new ResultNotFoundError(`No queue of this application has a job '${taskId}'.`);
    if (!this.parts.queues.has(queue))
      return new ResultNotFoundError(
        `The job ${taskId} belongs to the queue '${queue}', which this application does not have. Configure the same queues as in the application that submitted it.`,
      );
    return droppedResult(taskId);
  }
}
