import { UnrecoverableError } from 'bullmq';
import type { AttemptError } from '../../../job/job.js';
import { nextState, type Outcome } from '../../../job/outcome.js';
import { cancelText, failureText, storableText, withErrors } from '../job-mapping.js';
import type { AnyJob, BullServer, ServerJobs } from '../server/bull-server.js';
import {
  type Fail,
  interceptStoring,
  isLeaseAnswer,
  LeaseEndedError,
  StoreAgainError,
} from '../server/bullmq-internals.js';
import type { OutageLog } from '../server/outage-log.js';
import type { BullAttempt } from './bull-attempt.js';

/** The only error that a processor throws. BullMQ obeys some messages of errors, so it must not see a task's own error. */
export class NoSuccess extends Error {}

type Suspended = Extract<Outcome, { readonly kind: 'suspended' }>;

export interface OutcomeWriteParts {
  readonly server: Pick<BullServer, 'cannotStore'>;
  readonly jobs: Pick<ServerJobs, 'noteCancelled' | 'journals'>;
  readonly outages: Pick<OutageLog, 'report'>;
  readonly now: () => number;
  /** Called if another worker holds the job's lease: the outcome is not stored. */
  readonly lost: (job: AnyJob) => void;
}

/** Stores the outcome of an attempt by BullMQ's own calls, again and again until the server answers. */
export class OutcomeWrite {
  outcome: Outcome | null = null;
  /** The job's data before this attempt: a failed call may have changed the job's own copy. */
  private readonly before: unknown;
  /** Whether an earlier call had no answer. */
  private uncertain = false;
  /** Whether an outcome that the server cannot store was replaced by a failure. */
  private replaced = false;

  constructor(
    private readonly job: AnyJob,
    private readonly attempt: BullAttempt,
    private readonly parts: OutcomeWriteParts,
  ) {
    this.before = job.data;
    interceptStoring(
      job,
      (complete, ...args) => this.store(() => complete(...args)),
      (fail, ...args) => this.store(() => this.storeFailure(fail, ...args)),
    );
  }

  private async store<T>(call: () => Promise<T>): Promise<T> {
    const { server, outages, lost } = this.parts;
    try {
      return await call();
    } catch (error) {
      if (isLeaseAnswer(error)) {
        // The answer to an earlier call may have been lost.
        if (this.uncertain && (await this.isStored())) return undefined as T;
        lost(this.job);
        throw error;
      }
      if (!this.replaced && server.cannotStore(error)) {
        this.replaceOutcome(error as Error);
        // Now BullMQ stores a failure, if it did not do so before.
        throw new NoSuccess();
      }
      this.uncertain = true;
      outages.report(error);
      throw new StoreAgainError((error as Error).message, { cause: error });
    }
  }

  private async isStored(): Promise<boolean> {
    const state = await this.job.getState().catch(() => 'unknown');
    return state === (this.outcome?.kind === 'success' ? 'completed' : 'failed');
  }

  private replaceOutcome(cause: Error): void {
    this.replaced = true;
    const error: AttemptError = {
      attempt: this.job.attemptsMade + 1,
      name: 'EngineError',
      message: `The outcome could not be stored: ${storableText(cause.message)}`,
      code: 'FLOWRRA_ENGINE',
      stack: null,
      at: this.parts.now(),
    };
    this.outcome = { kind: 'failed', error };
  }

  private async storeFailure(
    fail: Fail,
    thrown: Error,
    token: string,
    fetchNext?: boolean,
  ): ReturnType<Fail> {
    const { job, outcome, attempt, parts } = this;
    if (outcome === null) return fail(thrown, token, fetchNext);
    // A success that could not be stored does not become a failure.
    if (outcome.kind === 'success') throw thrown;
    if (outcome.kind === 'suspended') return this.storeSuspension(token, outcome);
    const { reason, finishedAt, retries, errors, delay } = nextState(attempt, outcome, parts.now());
    if (reason !== null) {
      await parts.jobs.noteCancelled(attempt);
      return fail(new UnrecoverableError(cancelText(reason)), token, fetchNext);
    }
    if (finishedAt !== null) {
      await this.storeErrors(errors);
      return fail(withText(new UnrecoverableError(), errors), token, fetchNext);
    }
    if (retries > attempt.retries) {
      await this.storeErrors(errors);
      // This job may be stored already when a fetch of the next job fails.
      return fail(withText(new Error(), errors), token, false);
    }
    if (delay === 0) await job.moveToWait(token);
    else await job.moveToDelayed(parts.now() + delay, token);
  }

  /** The server compares the number of posted entries: one that is posted meanwhile must wake the job. */
  private async storeSuspension(token: string, { delay, seen }: Suspended): Promise<void> {
    const { jobs } = this.parts;
    const isCurrent = await jobs.journals.suspend(this.attempt, token, delay ?? Infinity, seen);
    if (!isCurrent) throw new LeaseEndedError('Missing lock: the job is no longer active for this worker');
  }

  /** Stores errors in the job's data. If another program's data is nested too deeply to be written again, only BullMQ stores the last error. */
  private async storeErrors(errors: readonly AttemptError[]): Promise<void> {
    try {
      await this.job.updateData(withErrors(this.before, errors));
    } catch (cause) {
      if ((cause as Error).name !== 'RangeError') throw cause;
    }
  }
}

/** BullMQ stores message and stack of an error: those of the task's last error. */
function withText<E extends Error>(error: E, errors: readonly AttemptError[]): E {
  const { message, stack } = errors.at(-1) as AttemptError;
  error.message = failureText(message);
  if (stack !== null) error.stack = storableText(stack);
  return error;
}
