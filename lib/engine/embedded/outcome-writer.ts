import { Logger } from '@nestjs/common';
import { detached, type MaybePromise, isPromise } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import type { Attempt } from '../../job/job.js';
import type { Outcome } from '../../job/outcome.js';
import { printed, shownText } from '../../job/show-value.js';
import type { Idle } from '../idle.js';
import type { OpenStore } from './job-store.js';

/** How long to wait before an outcome that could not be stored is tried again. */
const RETRY_MS = 1_000;

/** Writes outcomes to the store, and retries until the store accepts them. */
export class OutcomeWriter {
  private readonly logger = new Logger('Flowrra');
  private readonly retries = new Set<() => void>();
  private writing = 0;
  /** Whether the failure has been logged, and no write has succeeded since. */
  private isFailing = false;

  constructor(
    private readonly store: Pick<OpenStore, 'settle'>,
    private readonly clock: Clock,
    private readonly idle: Pick<Idle, 'check'>,
  ) {}

  /** The number of outcomes that are not stored yet. */
  get size(): number {
    return this.writing + this.retries.size;
  }

  /** @param stored Called once the outcome is stored; with `false` if the attempt was no longer the job's current one. */
  write(attempt: Attempt, outcome: Outcome, stored: (applied: boolean) => void): void {
    let settled: MaybePromise<boolean>;
    try {
      settled = this.store.settle(attempt, outcome, this.clock.now());
    } catch (error) {
      return this.retryLater(attempt, outcome, stored, error);
    }
    if (!isPromise(settled)) return stored(settled);
    this.writing++;
    settled.then(
      (applied) => {
        this.writing--;
        this.recovered();
        stored(applied);
        this.idle.check();
      },
      (error: unknown) => {
        this.writing--;
        this.retryLater(attempt, outcome, stored, error);
      },
    );
  }

  /** Gives up the outcomes that are not stored: those jobs run again when their leases end. */
  close(): void {
    if (this.size > 0)
      this.logger.error(`${this.size} outcomes could not be stored before the end: those jobs run again.`);
    for (const cancel of this.retries) cancel();
    this.retries.clear();
  }

  private retryLater(
    attempt: Attempt,
    outcome: Outcome,
    stored: (applied: boolean) => void,
    error: unknown,
  ): void {
    if (!this.isFailing)
      this.logger.error(
        `The outcome of ${shownText(attempt.taskId)} could not be stored, and perhaps others. Storing is retried every ${RETRY_MS} ms: ${printed(error)}`,
      );
    this.isFailing = true;
    const cancel = detached(() =>
      this.clock.after(RETRY_MS, () => {
        this.retries.delete(cancel);
        this.write(attempt, outcome, stored);
      }),
    );
    this.retries.add(cancel);
  }

  private recovered(): void {
    if (this.isFailing) this.logger.log('Outcomes are stored again.');
    this.isFailing = false;
  }
}
