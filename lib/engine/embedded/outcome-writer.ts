import { Logger } from '@nestjs/common';
import type { Clock } from '../../job/clock.js';
import { detached, type MaybePromise, isPromise } from '../../job/async.js';
import type { Attempt } from '../../job/job.js';
import type { Outcome } from '../../job/outcome.js';
import type { JobStore } from './job-store.js';
import { printed } from '../../job/printed.js';
import { shownText } from '../../job/show-value.js';

/** How long to wait before an outcome that could not be stored is tried again. */
const RETRY_MS = 1_000;

/** Brings outcomes into the store, and does not give up while it will not take them. */
export class Settlements {
  private readonly logger = new Logger('Flowrra');
  private readonly retries = new Set<() => void>();
  private underWay = 0;
  private troubled = false;

  /** @param changed Called when there is one less under way. */
  constructor(
    private readonly store: JobStore,
    private readonly clock: Clock,
    private readonly changed: () => void,
  ) {}

  /** Outcomes that are not in the store yet. */
  get size(): number {
    return this.underWay + this.retries.size;
  }

  /** @param stored Called once it is in the store, with whether the attempt still counted. */
  settle(attempt: Attempt, outcome: Outcome, stored: (applied: boolean) => void): void {
    let settled: MaybePromise<boolean>;
    try {
      settled = this.store.settle(attempt, outcome, this.clock.now());
    } catch (error) {
      return this.later(attempt, outcome, stored, error);
    }
    if (!isPromise(settled)) return stored(settled);
    this.underWay++;
    settled.then(
      (applied) => {
        this.underWay--;
        this.recovered();
        stored(applied);
        this.changed();
      },
      (error: unknown) => {
        this.underWay--;
        this.later(attempt, outcome, stored, error);
      },
    );
  }

  /** Gives up on what could not be stored: those jobs run again when their leases end. */
  close(): void {
    if (this.size > 0)
      this.logger.error(`${this.size} outcomes could not be stored before the end: those jobs run again.`);
    for (const cancel of this.retries) cancel();
    this.retries.clear();
  }

  private later(
    attempt: Attempt,
    outcome: Outcome,
    stored: (applied: boolean) => void,
    error: unknown,
  ): void {
    if (!this.troubled)
      this.logger.error(
        `The outcome of ${shownText(attempt.taskId)} could not be stored, and maybe others; it is tried again until it is: ${printed(error)}`,
      );
    this.troubled = true;
    const cancel = detached(() =>
      this.clock.after(RETRY_MS, () => {
        this.retries.delete(cancel);
        this.settle(attempt, outcome, stored);
      }),
    );
    this.retries.add(cancel);
  }

  private recovered(): void {
    if (this.troubled) this.logger.log('Outcomes are stored again.');
    this.troubled = false;
  }
}
