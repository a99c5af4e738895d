import type { Observable } from 'rxjs';
import type { MaybePromise } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import type { FlowrraEvent } from '../job/events.js';
import type { Attempt, AttemptError } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import type { QueueCounts } from '../job/query.js';

/** The optional injection token of an {@link Instrument}. */
export const FLOWRRA_INSTRUMENT = Symbol('flowrra:instrument');

/** Creates the instrumentation of an application, once. It is not called in a CPU thread: the parent instruments its tasks. */
export interface Instrument {
  instrument(application: InstrumentedApplication): Instrumentation;
}

/** The application, as an instrumentation sees it. */
export interface InstrumentedApplication {
  readonly clock: Clock;
  /** The events of this process. */
  readonly own$: Observable<FlowrraEvent>;
  /** Rejects while the application is not connected. */
  counts(): Promise<readonly QueueCounts[]>;
}

/** One call of `submit`, or of `submitMany`. */
export interface SubmittedBatch {
  readonly taskName: string;
  readonly queue: string;
  /** The number of jobs to submit. */
  readonly jobs: number;
  /** The trace data of the job whose end submits this batch, such as a dead letter; `undefined` for the application's submissions. */
  readonly cause: unknown;
}

/** Returns the trace data that a job carries to its attempts: plain data that counts as metadata, or `undefined` for none. */
export type TraceCarrier = (job: { readonly delay: number }) => unknown;

/** Code around submissions and attempts that traces or measures them. It must not throw. */
export interface Instrumentation {
  /** @param send Submits, within the captured context. Call it once, and return its answer. */
  submit<T extends string | string[]>(
    batch: SubmittedBatch,
    send: (carry: TraceCarrier) => MaybePromise<T>,
  ): MaybePromise<T>;
  /** Called when an attempt starts. */
  attempt(attempt: Attempt, trace: unknown): AttemptSpan;
}

/** One attempt, as an instrumentation follows it. */
export interface AttemptSpan {
  /** Calls code of the attempt, and returns its answer: the task's code once, then the submissions of its child jobs. */
  within<R>(call: () => R): R;
  /** Called when a function of a step starts. */
  step(step: StepTry): StepSpan;
  /** Called once, when the outcome is known. The code of a cancelled attempt may still run. */
  ended(outcome: Outcome): void;
}

/** One call of a step's function. */
export interface StepTry {
  /** The name in the journal: a repeated name has its number behind it, as in `charge:1`. */
  readonly name: string;
  /** Whether the step is run or undone. */
  readonly kind: 'step' | 'undo';
  /** The number of earlier calls. */
  readonly retries: number;
}

/** One call of a step's function, as an instrumentation follows it. */
export interface StepSpan {
  /** Calls the function once, and returns its answer. */
  within<R>(call: () => R): R;
  /**
   * Called once, when the function has settled; never if its thread dies.
   *
   * @param error `null` for `success`.
   */
  ended(outcome: 'success' | 'retry' | 'failed', error: AttemptError | null): void;
}
