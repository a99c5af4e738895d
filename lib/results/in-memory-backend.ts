import { type Clock, systemClock } from '../job/clock.js';
import type { Duration } from '../job/duration.js';
import { ResultNotFoundError } from '../job/errors.js';
import { copyPlain } from '../job/payload/payload-codec.js';
import {
  type FinishedTaskResult,
  type TaskResult,
  droppedResult,
  jobStateOf,
  taskResultOf,
} from '../job/task-result.js';
import { isFinal, type JobState } from '../job/job.js';
import { duration, OptionTable, type RulesOf, wholeNumber, withMethods } from '../job/rules.js';
import { AbortListeners, waitUntil } from './wait-until.js';
import { ResultBackend, type WaitOptions } from './result-backend.js';
import { Waiters } from './waiters.js';

/** Options of {@link InMemoryBackend}. */
export interface InMemoryBackendOptions {
  /** The time for which a finished result is kept; at least 0 ms. @defaultValue `'1h'` */
  resultTtl?: Duration;
  /** The number of finished results that are kept, from 1; the oldest are dropped first. @defaultValue 100,000 */
  maxResults?: number;
  /** The clock, for tests. @defaultValue the system's clock */
  clock?: Clock;
}

const RULES = new OptionTable({
  resultTtl: duration({ default: '1h' }),
  maxResults: wholeNumber({ min: 1, default: 100_000 }),
  clock: withMethods<Clock, Clock>(['now', 'after'], 'It must be an object with now and after.', systemClock),
} satisfies RulesOf<InMemoryBackendOptions>);

/**
 * Keeps results in the memory of this process. The memory engine does so by itself, so use this backend in tests,
 * for several engines that share one backend, or as an example of a backend.
 */
export class InMemoryBackend extends ResultBackend {
  private readonly clock: Clock;
  private readonly resultTtl: number;
  private readonly maxResults: number;
  private readonly unfinished = new Map<string, JobState>();
  /** In the order in which they finished, which is the order in which they are dropped. */
  private readonly finished = new Map<string, JobState>();
  /** The ids of the last `maxResults` dropped results, which are expired and not unknown. */
  private readonly dropped = new Set<string>();
  private readonly waiters = new Waiters<string>();
  private readonly aborts = new AbortListeners();

  /** @throws {FlowrraConfigError} if an option is invalid. */
  constructor(options: InMemoryBackendOptions = {}) {
    super();
    const { clock, resultTtl, maxResults } = RULES.resolve(
      options,
      'InMemoryBackend options',
      'InMemoryBackend ',
    );
    this.clock = clock;
    this.resultTtl = resultTtl;
    this.maxResults = maxResults;
  }

  store(taskId: string, result: TaskResult): void {
    const state = owned(jobStateOf(result));
    this.dropped.delete(taskId);
    if (!isFinal(state.status)) {
      // An operator may have retried a failed job.
      this.finished.delete(taskId);
      this.unfinished.set(taskId, state);
      return;
    }
    this.unfinished.delete(taskId);
    this.finished.delete(taskId);
    this.finished.set(taskId, state);
    this.prune();
    for (const waiter of this.waiters.take(taskId)) waiter(reveal(state) as FinishedTaskResult);
  }

  get(taskId: string): TaskResult | null {
    this.prune();
    const state = this.finished.get(taskId) ?? this.unfinished.get(taskId);
    return state ? reveal(state) : null;
  }

  async waitFor(taskId: string, options: WaitOptions = {}): Promise<FinishedTaskResult> {
    const known = this.get(taskId);
    if (known?.isComplete) return known;
    if (known === null) throw this.missing(taskId);
    return waitUntil(taskId, options, this.clock, this.aborts, (waiter) => this.waiters.add(taskId, waiter));
  }

  override delete(taskId: string): boolean {
    return this.finished.delete(taskId) || this.unfinished.delete(taskId);
  }

  override clear(): void {
    this.finished.clear();
    this.unfinished.clear();
    this.dropped.clear();
  }

  private missing(taskId: string): Error {
    return this.dropped.has(taskId)
      ? droppedResult(taskId)
      : new ResultNotFoundError(`No job '${taskId}' is known to this backend.`);
  }

  private prune(): void {
    const expired = this.clock.now() - this.resultTtl;
    for (const [taskId, { finishedAt }] of this.finished) {
      if (this.finished.size <= this.maxResults && (finishedAt ?? Infinity) > expired) break;
      this.finished.delete(taskId);
      this.dropped.add(taskId);
    }
    for (const taskId of this.dropped) {
      if (this.dropped.size <= this.maxResults) break;
      this.dropped.delete(taskId);
    }
  }
}

/** A copy that the code that stored the result cannot change. */
function owned(state: JobState): JobState {
  return { ...state, result: copyPlain(state.result) };
}

function reveal(state: JobState): TaskResult {
  return taskResultOf(owned(state));
}
