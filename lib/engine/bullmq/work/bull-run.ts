import { TaskLostError } from '../../../job/errors.js';
import { payloadToJson } from '../../../job/payload/payload-text.js';
import { AttemptAbort } from '../../../run/attempt-abort.js';
import { type MaybePromise, isPromise } from '../../../job/async.js';
import type { Outcome } from '../../../job/outcome.js';
import type { BullAttempt } from './bull-attempt.js';
import type { AnyJob } from '../server/bull-server.js';
import { NoSuccess, type StoringObserver, StoredOutcome } from './stored-outcome.js';

/** More attempts than any policy allows: it is ours that decides, and BullMQ only has to obey. */
const ENOUGH_ATTEMPTS = 2_000_000_000;

/** After this long it has failed, whatever the reason. */
const LONGEST_TELLING_MS = 2_000;

/** One attempt while it runs, and how its outcome is told to BullMQ. */
export class BullRun extends AttemptAbort {
  /** Whether the core has been given it. */
  begun = false;
  /** How long until the next attempt, for BullMQ's question after a failure. */
  retryDelay = 0;
  private readonly stored: StoredOutcome;
  private toldAt = 0;
  /** Ends the run, whatever the attempt still answers. */
  readonly endAs: (outcome: Outcome) => void;
  private readonly fail: (error: unknown) => void;
  private readonly end: Promise<Outcome>;
  /** What it has said of itself is kept in its order. */
  reported: Promise<void> = Promise.resolve();

  constructor(
    readonly job: AnyJob,
    readonly attempt: BullAttempt,
    now: () => number,
    observer: StoringObserver,
  ) {
    super();
    let endAs!: (outcome: Outcome) => void;
    let fail!: (error: unknown) => void;
    this.end = new Promise((resolve, reject) => ([endAs, fail] = [resolve, reject]));
    this.endAs = endAs;
    this.fail = fail;
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

  /** What the attempt answers, unless the run is ended before. */
  endOf(answer: MaybePromise<Outcome>): Promise<Outcome> {
    if (isPromise(answer)) answer.then(this.endAs, this.fail);
    else this.endAs(answer);
    return this.end;
  }

  /** Returns the result, or throws: BullMQ then stores a success or, in the way that the outcome says, a failure. */
  tell(ended: Outcome): unknown {
    // A loss that is none after all must not count as anything.
    const outcome: Outcome = this.reason instanceof TaskLostError ? { kind: 'released', delay: 0 } : ended;
    this.stored.outcome = outcome;
    this.ended();
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
