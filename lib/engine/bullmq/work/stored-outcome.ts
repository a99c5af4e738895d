import { UnrecoverableError } from 'bullmq';
import type { AttemptError } from '../../../job/job.js';
import type { Outcome } from '../../../job/outcome.js';
import type { AnyJob } from '../server/bull-server.js';
import { cancelText, failureText, storable, withError } from '../job-mapping.js';

type Fail = AnyJob['moveToFailed'];

/** All that a processor throws. BullMQ obeys some messages of errors, so a task's own words are kept from it until they are stored. */
export class NoSuccess extends Error {}

/** BullMQ takes as the job's failure what goes wrong while it stores, unless it looks like a lost connection: then it tries again. */
class NotStoredError extends Error {
  readonly code = 'ECONNREFUSED';
}

/** Told how storing goes. */
export interface StoringObserver {
  /** The job is not this process's any more: whatever it says of it is not stored. */
  lost(job: AnyJob): void;
  trouble(error: Error): void;
  /** The job is about to be stored as cancelled. */
  cancelling(job: AnyJob): Promise<void>;
  /** Whether the server cannot hold what it was given, now or ever. */
  cannotHold(error: unknown): boolean;
}

/** Stores what became of an attempt, for as long as it takes, in the way that BullMQ's own calls do. */
export class StoredOutcome {
  outcome: Outcome | null = null;
  /** The job's data before this attempt: a try to store may have changed the job's own copy. */
  private readonly before: unknown;
  /** Whether a try to store it has had no answer. */
  private uncertain = false;
  /** Whether what the server could not hold has been replaced by the news of it. */
  private replaced = false;

  constructor(
    private readonly job: AnyJob,
    private readonly now: () => number,
    private readonly observer: StoringObserver,
  ) {
    this.before = job.data;
    const complete = job.moveToCompleted.bind(job);
    const fail = job.moveToFailed.bind(job);
    job.moveToCompleted = (...args) => this.storing(() => complete(...args));
    job.moveToFailed = (error, ...args) => this.storing(() => this.storeFailure(error, fail, ...args));
  }

  private async storing<T>(store: () => Promise<T>): Promise<T> {
    try {
      return await store();
    } catch (error) {
      if (isAnswer(error)) {
        // The answer to an earlier try may have been lost.
        if (this.uncertain && (await this.isStored())) return undefined as T;
        this.observer.lost(this.job);
        throw error;
      }
      if (!this.replaced && this.observer.cannotHold(error)) {
        this.replace(error as Error);
        // BullMQ now asks for a failure, if it has not done so already.
        throw new NoSuccess();
      }
      this.uncertain = true;
      this.observer.trouble(error as Error);
      throw new NotStoredError((error as Error).message, { cause: error });
    }
  }

  private async isStored(): Promise<boolean> {
    const state = await this.job.getState().catch(() => 'unknown');
    return state === (this.outcome?.kind === 'success' ? 'completed' : 'failed');
  }

  private replace(cause: Error): void {
    this.replaced = true;
    const error: AttemptError = {
      attempt: this.job.attemptsMade + 1,
      name: 'EngineError',
      message: `The outcome could not be stored: ${storable(cause.message)}`,
      code: 'FLOWRRA_ENGINE',
      stack: null,
      at: this.now(),
    };
    this.outcome = { kind: 'failed', error };
  }

  /** In the job's data. If another program's data is too deep to be written again, only BullMQ keeps the error. */
  private async remember(error: AttemptError): Promise<void> {
    try {
      await this.job.updateData(withError(this.before, error));
    } catch (cause) {
      if ((cause as Error).name !== 'RangeError') throw cause;
    }
  }

  private async storeFailure(error: Error, fail: Fail, token: string, fetchNext?: boolean): ReturnType<Fail> {
    const { job, outcome } = this;
    switch (outcome?.kind) {
      case 'success':
        // That it could not be stored makes it no failure.
        throw error;
      case 'snoozed':
      case 'released':
        // Neither burns an attempt.
        if (outcome.delay === 0) await job.moveToWait(token);
        else await job.moveToDelayed(this.now() + outcome.delay, token);
        return;
      case 'retry':
        await this.remember(outcome.error);
        // Fetching the next job may go wrong when this one is stored already.
        return fail(inItsWords(new Error(), outcome.error), token, false);
      case 'failed':
        await this.remember(outcome.error);
        return fail(inItsWords(new UnrecoverableError(), outcome.error), token, fetchNext);
      case 'cancelled':
        await this.observer.cancelling(job);
        return fail(new UnrecoverableError(cancelText(outcome.reason)), token, fetchNext);
      case undefined:
        return fail(error, token, fetchNext);
    }
  }
}

/** Whether the server has answered: the job is gone, or another worker's. */
function isAnswer(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && code < 0;
}

/** BullMQ keeps message and stack of an error, so they should be the task's. */
function inItsWords(error: Error, { message, stack }: AttemptError): Error {
  error.message = failureText(message);
  if (stack !== null) error.stack = storable(stack);
  return error;
}
