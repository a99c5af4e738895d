import { Logger } from '@nestjs/common';
import { type Attempt, type NewJob, type JobState } from '../job/job.js';
import { type Outcome, nextState } from '../job/outcome.js';
import type { ResultBackend } from '../results/result-backend.js';
import type { Clock } from '../job/clock.js';
import { BackendError } from '../job/errors.js';
import { taskResultOf } from '../job/task-snapshot.js';
import { printed, shownText } from '../job/show-value.js';

/** The longest that one write may take before it counts as failed. */
const WRITE_TIMEOUT_MS = 5_000;
/** A final result is tried this often, waiting 100 ms, 200 ms, … 30 s in between: about three minutes. */
const TRIES = 15;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Writes a configured backend: every change of a job's status, in order. A backend that fails or
 * hangs never stops a job: intermediate states are written once, the final one again and again.
 */
export class ResultRecorder {
  private readonly logger = new Logger('Flowrra');
  /** Whether the last write of an intermediate state failed, which is said once. */
  private isFailing = false;
  /** The last write of each job that is under way: the next one waits for it. */
  private readonly writes = new Map<string, Promise<void>>();
  /** What running jobs have said last of their progress. */
  private readonly progress = new Map<string, unknown>();

  constructor(
    private readonly backend: ResultBackend,
    private readonly clock: Clock,
  ) {}

  /**
   * Records a new job before the engine has it, unless a job of that id is recorded already. Says
   * whether it has.
   *
   * @throws {BackendError} if it could not be recorded: the job is then not to be submitted.
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

  /** What a running attempt has said of its progress. */
  progressed(attempt: Attempt, progress: unknown): void {
    this.progress.set(attempt.taskId, progress);
    void this.next(attempt.taskId, () => this.tryOnce({ ...this.known(attempt), status: 'running' }));
  }

  /** A job that somebody has cancelled, or put back into line. */
  async changed(state: JobState): Promise<void> {
    await this.next(state.taskId, () => this.tryHard(state));
  }

  /** There is no job of that id, or not any more. A backend that cannot forget drops it in its own time. */
  async forget(taskId: string): Promise<void> {
    await this.next(taskId, async () => {
      try {
        await this.backend.delete?.(taskId);
      } catch (error) {
        this.logger.warn(`${shownText(taskId)} could not be deleted from the backend: ${printed(error)}`);
      }
    });
  }

  /** Resolves when the outcome has been written, or given up on. */
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
          `The status '${state.status}' of ${shownText(state.taskId)} could not be recorded, and maybe others: ${printed(error)}`,
        );
      this.isFailing = true;
    }
  }

  private async tryHard(state: JobState): Promise<void> {
    for (let tried = 1, pause = FIRST_PAUSE_MS; ; tried++, pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
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
            `The result of ${shownText(state.taskId)} could not be recorded and is tried again: ${printed(error)}`,
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
      // In an async function, so that a backend that throws at once is a rejection as well.
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
