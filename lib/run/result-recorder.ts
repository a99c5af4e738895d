import { Logger } from '@nestjs/common';
import { type Attempt, type NewJob, type JobState } from '../job/job.js';
import { type Outcome, nextState } from '../job/outcome.js';
import type { ResultBackend } from '../results/result-backend.js';
import type { Clock } from '../job/clock.js';
import { BackendError } from '../job/errors.js';
import { taskResultOf } from '../job/task-snapshot.js';
import { printed } from '../job/printed.js';
import { shownText } from '../job/show-value.js';

/** A write that takes longer counts as failed. */
const WRITE_TIMEOUT_MS = 5_000;
/** Writes of a final result, with pauses of 100 ms, 200 ms, … 30 s between them: about three minutes. */
const TRIES = 15;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 30_000;

/**
 * Writes each change of a job's status to the configured backend, in order. A backend that fails or
 * hangs never stops a job: an intermediate state is written once, a final state is retried.
 */
export class ResultRecorder {
  private readonly logger = new Logger('Flowrra');
  /** Whether the last write of an intermediate state failed, and this has been logged. */
  private isFailing = false;
  /** The unfinished last write of each job, which the job's next write waits for. */
  private readonly writes = new Map<string, Promise<void>>();
  /** The last progress of each running job. */
  private readonly progress = new Map<string, unknown>();

  constructor(
    private readonly backend: ResultBackend,
    private readonly clock: Clock,
  ) {}

  /**
   * Records a new job before the engine accepts it. `false` if a job with that id is recorded already.
   *
   * @throws {BackendError} if the job could not be recorded: then it must not be submitted.
   */
  async submitted(taskId: string, job: NewJob): Promise<boolean> {
    try {
      if (job.taskId !== undefined && (await this.backend.get(taskId)) !== null) return false;
      await this.write({ ...fresh(taskId, job.taskName, this.clock.now()), status: 'pending' });
      return true;
    } catch (cause) {
      throw new BackendError(`The job could not be recorded, so it was not submitted: ${String(cause)}`, {
        cause,
      });
    }
  }

  started(attempt: Attempt): void {
    void this.next(attempt.taskId, () => this.tryOnce({ ...this.known(attempt), status: 'running' }));
  }

  /** Records the progress of a running attempt. */
  progressed(attempt: Attempt, progress: unknown): void {
    this.progress.set(attempt.taskId, progress);
    void this.next(attempt.taskId, () => this.tryOnce({ ...this.known(attempt), status: 'running' }));
  }

  /** Records a job that an operator has cancelled or retried. */
  async changed(state: JobState): Promise<void> {
    await this.next(state.taskId, () => this.tryHard(state));
  }

  /** Deletes the record of a job that does not exist. A backend without `delete` drops it by its own rules. */
  async forget(taskId: string): Promise<void> {
    await this.next(taskId, async () => {
      try {
        await this.backend.delete?.(taskId);
      } catch (error) {
        this.logger.warn(`${shownText(taskId)} could not be deleted from the backend: ${printed(error)}`);
      }
    });
  }

  /** Resolves when the outcome has been written, or its last retry has failed. */
  async ended(attempt: Attempt, outcome: Outcome): Promise<void> {
    const state = this.after(attempt, outcome);
    this.progress.delete(attempt.taskId);
    if (state.finishedAt === null) {
      void this.next(attempt.taskId, () => this.tryOnce(state));
      return;
    }
    await this.next(attempt.taskId, () => this.tryHard(state));
  }

  private next(taskId: string, write: () => Promise<void>): Promise<void> {
    const done = (this.writes.get(taskId) ?? Promise.resolve()).then(write);
    this.writes.set(taskId, done);
    return done.finally(() => {
      if (this.writes.get(taskId) === done) this.writes.delete(taskId);
    });
  }

  private async tryOnce(state: JobState): Promise<void> {
    try {
      await this.write(state);
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing)
        this.logger.warn(
          `The status '${state.status}' of ${shownText(state.taskId)} could not be recorded, and perhaps others: ${printed(error)}`,
        );
      this.isFailing = true;
    }
  }

  private async tryHard(state: JobState): Promise<void> {
    for (let tried = 1, pause = MIN_PAUSE_MS; ; tried++, pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
      try {
        return await this.write(state);
      } catch (error) {
        if (tried === TRIES) {
          this.logger.error(
            `The result of ${shownText(state.taskId)} is not in the backend, after ${tried} tries: ${printed(error)}`,
          );
          return;
        }
        if (tried === 1)
          this.logger.warn(
            `The result of ${shownText(state.taskId)} could not be recorded. It is retried ${TRIES - 1} times: ${printed(error)}`,
          );
        await new Promise<void>((resolve) => this.clock.after(pause, resolve));
      }
    }
  }

  private write(state: JobState): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(WRITE_TIMEOUT_MS, () =>
        reject(new BackendError(`The backend took longer than ${WRITE_TIMEOUT_MS} ms`)),
      );
      // The async function turns an error that the backend throws into a rejection.
      (async () => this.backend.store(state.taskId, taskResultOf(state)))()
        .then(resolve, reject)
        .finally(cancel);
    });
  }

  private known(attempt: Attempt): Omit<JobState, 'status'> {
    const { taskId, taskName, submittedAt, startedAt, errors, retries } = attempt;
    const progress = this.progress.get(taskId) ?? null;
    return { ...fresh(taskId, taskName, submittedAt), startedAt, errors, retries, progress };
  }

  private after(attempt: Attempt, outcome: Outcome): JobState {
    const { status, result, errors, reason, retries, finishedAt } = nextState(
      attempt,
      outcome,
      this.clock.now(),
    );
    return { ...this.known(attempt), status, result, errors, reason, retries, finishedAt };
  }
}

function fresh(taskId: string, taskName: string, submittedAt: number): Omit<JobState, 'status'> {
  return {
    taskId,
    taskName,
    result: null,
    errors: [],
    reason: null,
    submittedAt,
    startedAt: null,
    finishedAt: null,
    retries: 0,
    progress: null,
  };
}
