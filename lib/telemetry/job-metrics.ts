import type { Meter, ObservableResult } from '@opentelemetry/api';
import type { BoundedAnswer } from '../job/bounded-answer.js';
import type { QueueCounts } from '../job/query.js';
import type { FlowrraEvent } from '../job/events.js';
import type { Attempt } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import { ATTRIBUTES, attributesOf, baseName } from './attributes.js';

/** The longest time that a collection of metrics waits for the engine. */
const COUNTS_TIMEOUT_MS = 1_000;
/** The largest number of snoozed and released jobs that are remembered until their next start. */
const MAX_DEFERRED = 10_000;
/** The largest number of step names of a task that are measured apart, and the name of all others. */
const MAX_STEP_NAMES = 50;
const OTHER_STEPS = '(other)';

/** In seconds, from an immediate start to one hour. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600];

const STATUSES = ['pending', 'retrying', 'suspended', 'running', 'success', 'failed', 'cancelled'] as const;

/** The metrics of this process. The number of jobs by queue is the same in all processes. */
export class JobMetrics {
  private readonly submitted;
  private readonly finished;
  private readonly retried;
  private readonly suspended;
  private readonly duration;
  private readonly stepDuration;
  private readonly wait;
  private readonly lateness;
  private readonly skipped;
  private readonly depth;
  private readonly deferred = new Set<string>();
  /** By task. */
  private readonly stepNames = new Map<string, Set<string>>();

  constructor(
    meter: Meter,
    private readonly counts: BoundedAnswer<readonly QueueCounts[]>,
  ) {
    const seconds = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS } };
    this.submitted = meter.createCounter('flowrra.jobs.submitted', {
      description: 'Jobs that this process submitted',
      unit: '{job}',
    });
    this.finished = meter.createCounter('flowrra.jobs.finished', {
      description: 'Jobs that ended in this process, by status',
      unit: '{job}',
    });
    this.retried = meter.createCounter('flowrra.jobs.retried', {
      description: 'Attempts that failed in this process and are retried',
      unit: '{attempt}',
    });
    this.suspended = meter.createCounter('flowrra.jobs.suspended', {
      description: 'Attempts that were suspended in this process: their jobs wait, and go on later',
      unit: '{attempt}',
    });
    this.duration = meter.createHistogram('flowrra.attempt.duration', {
      description: 'Duration of attempts in this process, by outcome',
      ...seconds,
    });
    this.stepDuration = meter.createHistogram('flowrra.step.duration', {
      description: 'Duration of tries of steps in this process, by outcome',
      ...seconds,
    });
    this.wait = meter.createHistogram('flowrra.job.wait', {
      description: 'Time between the due time of a job and its first start, in this process',
      ...seconds,
    });
    this.lateness = meter.createHistogram('flowrra.schedule.lateness', {
      description:
        'Time between an occurrence, with its jitter, and the submission of its job by this process',
      ...seconds,
    });
    this.skipped = meter.createCounter('flowrra.schedule.skipped', {
      description: 'Occurrences that this process skipped, by reason',
      unit: '{occurrence}',
    });
    this.depth = meter.createObservableGauge('flowrra.queue.jobs', {
      description: 'Jobs of all processes, by queue and status',
      unit: '{job}',
    });
    this.depth.addCallback(this.observe);
  }

  record(event: FlowrraEvent): void {
    const attributes = attributesOf(event);
    switch (event.type) {
      case 'submitted':
        return this.submitted.add(1, attributes);
      case 'succeeded':
        return this.finished.add(1, { ...attributes, [ATTRIBUTES.status]: 'success' });
      case 'failed':
      case 'cancelled':
        return this.finished.add(1, { ...attributes, [ATTRIBUTES.status]: event.type });
      case 'retrying':
        return this.retried.add(1, attributes);
      case 'scheduled': {
        const ofSchedule = { ...attributes, [ATTRIBUTES.schedule]: event.schedule };
        return this.lateness.record(Math.max(0, event.lateness) / 1_000, ofSchedule);
      }
      case 'occurrenceSkipped': {
        const { schedule, reason } = event;
        const ofSchedule = { [ATTRIBUTES.schedule]: schedule, [ATTRIBUTES.skipReason]: reason };
        return this.skipped.add(event.count, { ...attributes, ...ofSchedule });
      }
      case 'suspended':
        this.suspended.add(1, attributes);
        return this.defer(event.taskId);
      case 'snoozed':
      case 'released':
        return this.defer(event.taskId);
      default:
    }
  }

  /** @param due The first due time of the job; like `now`, in milliseconds since the epoch. */
  started(attempt: Attempt, due: number, now: number): void {
    const again = this.deferred.delete(attempt.taskId) || attempt.retries > 0 || attempt.errors.length > 0;
    if (!again) this.wait.record(Math.max(0, now - due) / 1_000, attributesOf(attempt));
  }

  ended(attempt: Attempt, outcome: Outcome, ms: number): void {
    this.duration.record(ms / 1_000, { ...attributesOf(attempt), [ATTRIBUTES.outcome]: outcome.kind });
  }

  stepEnded(attempt: Attempt, step: string, outcome: string, ms: number): void {
    this.stepDuration.record(ms / 1_000, {
      ...attributesOf(attempt),
      [ATTRIBUTES.step]: this.stepName(attempt.taskName, baseName(step)),
      [ATTRIBUTES.outcome]: outcome,
    });
  }

  close(): void {
    this.depth.removeCallback(this.observe);
  }

  /** If the engine does not answer, this collection reports no numbers of jobs. */
  private readonly observe = async (result: ObservableResult): Promise<void> => {
    const counts = await this.counts.within(COUNTS_TIMEOUT_MS).catch(() => []);
    for (const of of counts)
      for (const status of STATUSES)
        result.observe(of[status], {
          [ATTRIBUTES.system]: 'flowrra',
          [ATTRIBUTES.queue]: of.queue,
          [ATTRIBUTES.status]: status,
        });
  };

  /** Names that contain the id of their subject would make a time series each. */
  private stepName(taskName: string, step: string): string {
    let names = this.stepNames.get(taskName);
    if (names === undefined) this.stepNames.set(taskName, (names = new Set()));
    if (names.has(step)) return step;
    if (names.size >= MAX_STEP_NAMES) return OTHER_STEPS;
    names.add(step);
    return step;
  }

  private defer(taskId: string): void {
    if (this.deferred.size >= MAX_DEFERRED) {
      const [oldest] = this.deferred;
      this.deferred.delete(oldest as string);
    }
    this.deferred.add(taskId);
  }
}
