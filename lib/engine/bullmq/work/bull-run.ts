import { payloadToJson } from '../../../job/payload/payload-text.js';
import type { Run } from '../../../run/run.js';
import type { Outcome } from '../../../job/outcome.js';
import type { BullAttempt } from './bull-attempt.js';
import type { AnyJob } from '../server/bull-server.js';
import { NoSuccess, type StoringObserver, StoredOutcome } from './stored-outcome.js';

/** More attempts than any policy allows: it is ours that decides, and BullMQ only has to obey. */
const ENOUGH_ATTEMPTS = 2_000_000_000;

/** After this long it has failed, whatever the reason. */
const LONGEST_TELLING_MS = 2_000;

/** One attempt while it runs, and how its outcome is told to BullMQ. */
export class BullRun {
  readonly attempt: BullAttempt;
  /** How long until the next attempt, for BullMQ's question after a failure. */
  retryDelay = 0;
  private readonly stored: StoredOutcome;
  private toldAt = 0;
  /** Reports are stored in their order. */
  reported: Promise<void> = Promise.resolve();

  constructor(
    readonly job: AnyJob,
    readonly run: Run,
    now: () => number,
    observer: StoringObserver,
  ) {
    this.attempt = run.attempt as BullAttempt;
    this.stored = new StoredOutcome(job, now, observer);
  }

  /** Set when BullMQ is to be told: it decides which of its events announces that this is stored. */
  get outcome(): Outcome | null {
    return this.stored.outcome;
  }

  /** Whether BullMQ is just being told, here: whoever hears of the end from the server has to wait for that. */
  get isBeingTold(): boolean {
    return this.outcome !== null && performance.now() - this.toldAt < LONGEST_TELLING_MS;
  }

  /** @param within Calls the task's code. */
  start(within: <R>(code: () => R) => R): Promise<Outcome> {
    return new Promise((ended) => this.run.start(ended, within));
  }

  /** Returns the result, or throws: BullMQ then stores a success or, in the way that the outcome says, a failure. */
  tell(ended: Outcome): unknown {
    // A loss that is none after all must not count as anything.
    const outcome: Outcome = this.run.isLost ? { kind: 'released', delay: 0 } : ended;
    this.stored.outcome = outcome;
    this.toldAt = performance.now();
    if (outcome.kind === 'success') return payloadToJson(outcome.result);
    if (outcome.kind === 'retry') {
      this.job.opts.attempts = ENOUGH_ATTEMPTS;
      this.job.opts.backoff = { type: 'custom' };
      this.retryDelay = outcome.delay;
    }
    throw new NoSuccess();
  }
}
