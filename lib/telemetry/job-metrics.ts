import type { Meter, ObservableResult } from '@opentelemetry/api';
import type { BoundedCounts } from '../job/bounded-counts.js';
import type { FlowrraEvent } from '../job/events.js';
import type { Attempt } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import { ATTRIBUTES, attributesOf } from './attributes.js';

/** How long a collection of metrics may wait for the engine. */
const COUNTS_TIMEOUT_MS = 1_000;
/** Jobs that have been put off and are expected back: more than so many are not remembered. */
const MOST_PUT_OFF = 10_000;

/** Seconds, from a job that waits for nothing to one that takes an hour. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600];

const STATUSES = ['pending', 'retrying', 'running', 'success', 'failed', 'cancelled'] as const;

/** Counts and measures what this process does; and how many jobs there are, which is the same in all of them. */
export class JobMetrics {
  private readonly submitted;
  private readonly finished;
  private readonly retried;
  private readonly duration;
  private readonly wait;
  private readonly depth;
  private readonly putOff = new Set<string>();

  constructor(
    meter: Meter,
    private readonly counts: BoundedCounts,
  ) {
    const seconds = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS } };
    this.submitted = meter.createCounter('flowrra.jobs.submitted', {
      description: 'Jobs that were submitted here',
      unit: '{job}',
    });
    this.finished = meter.createCounter('flowrra.jobs.finished', {
      description: 'Jobs that ended here, by their status',
      unit: '{job}',
    });
    this.retried = meter.createCounter('flowrra.jobs.retried', {
      description: 'Attempts that failed here and are followed by another',
      unit: '{attempt}',
    });
    this.duration = meter.createHistogram('flowrra.attempt.duration', {
      description: 'How long attempts ran here, by their outcome',
      ...seconds,
    });
    this.wait = meter.createHistogram('flowrra.job.wait', {
      description: 'How long jobs had been due when they started here for the first time',
      ...seconds,
    });
    this.depth = meter.createObservableGauge('flowrra.queue.jobs', {
      description: 'How many jobs there are in all processes, by queue and status',
      unit: '{job}',
    });
    this.depth.addCallback(this.observe);
  }

  hear(event: FlowrraEvent): void {
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
      case 'snoozed':
      case 'released':
        return this.remember(event.taskId);
      default:
    }
  }

  /** @param due When it came due at first, and the time now, both in milliseconds since the epoch. */
  started(attempt: Attempt, due: number, now: number): void {
    const again = this.putOff.delete(attempt.taskId) || attempt.retries > 0 || attempt.errors.length > 0;
    if (!again) this.wait.record(Math.max(0, now - due) / 1_000, attributesOf(attempt));
  }

  ended(attempt: Attempt, outcome: Outcome, ms: number): void {
    this.duration.record(ms / 1_000, { ...attributesOf(attempt), [ATTRIBUTES.outcome]: outcome.kind });
  }

  close(): void {
    this.depth.removeCallback(this.observe);
  }

  /** An engine that does not answer costs a gap in the curve, and nothing else. */
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

  private remember(taskId: string): void {
    if (this.putOff.size >= MOST_PUT_OFF) {
      const [oldest] = this.putOff;
      this.putOff.delete(oldest as string);
    }
    this.putOff.add(taskId);
  }
}
