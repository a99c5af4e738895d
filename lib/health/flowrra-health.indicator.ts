import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { within } from '../job/async.js';
import { BoundedAnswer } from '../job/bounded-answer.js';
import type { Clock } from '../job/clock.js';
import type { QueueCounts } from '../job/query.js';
import type { OutboxHealth } from '../outbox/connected-outbox.js';
import { FlowrraRuntime } from '../nest/flowrra.runtime.js';
import { FlowrraService } from '../nest/flowrra.service.js';
import { RESOLVED_OPTIONS, type ResolvedOptions } from '../nest/options/module-options.js';
import type { OverdueSchedule } from '../run/schedules/schedule-operations.js';
import { type FlowrraHealthOptions, type HealthLimits, resolveLimits } from './health-limits.js';
import { RecentOutcomes } from './recent-outcomes.js';
import { WatchedJobs } from './watched-jobs.js';

/** The numbers that a check returns in addition to up or down. */
type Details = Record<string, unknown>;

/** The most overdue schedules that a check names. */
const MAX_NAMED = 10;

/**
 * The health of Flowrra for `@nestjs/terminus`. Make it a provider of the module whose controller checks health:
 * `() => this.flowrra.isHealthy('flowrra', { maxPending: 1_000 })`.
 */
@Injectable()
export class FlowrraHealthIndicator {
  private readonly clock: Clock;
  private readonly runtime: FlowrraRuntime;
  private readonly counts: BoundedAnswer<readonly QueueCounts[]>;
  private readonly outbox: BoundedAnswer<OutboxHealth>;
  private readonly outcomes = new RecentOutcomes();
  private readonly watched = new WatchedJobs();

  constructor(
    private readonly flowrra: FlowrraService,
    private readonly health: HealthIndicatorService,
    moduleRef: ModuleRef,
  ) {
    this.clock = moduleRef.get<ResolvedOptions>(RESOLVED_OPTIONS, { strict: false }).clock;
    this.runtime = moduleRef.get(FlowrraRuntime, { strict: false });
    this.counts = new BoundedAnswer(() => flowrra.jobs.counts(), this.clock);
    this.outbox = new BoundedAnswer(() => flowrra.outbox.health(), this.clock);
    flowrra.events$.subscribe((event) => {
      if (event.type === 'succeeded' || event.type === 'failed')
        this.outcomes.add(this.now(), event.type === 'failed');
      else this.watched.record(event, this.now());
    });
  }

  /**
   * Returns down if the engine does not answer within `timeout`, a limit is exceeded, or an option is invalid;
   * `message` gives the reason. Never rejects, and never takes longer than `timeout`.
   */
  async isHealthy<const Key extends string = 'flowrra'>(
    key: Key = 'flowrra' as Key,
    options: FlowrraHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const indicator = this.health.check(key);
    const { isRunning } = this.flowrra;
    try {
      const { problems, details } = await this.examine(resolveLimits(options));
      if (problems.length === 0) return indicator.up({ isRunning, ...details });
      return indicator.down({ isRunning, ...details, message: problems.join('; ') });
    } catch (error) {
      return indicator.down({
        isRunning,
        message: `Flowrra: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }

  private async examine(limits: HealthLimits): Promise<{ problems: string[]; details: Details }> {
    const deadline = this.now() + limits.timeout;
    const counts = await this.counts.within(limits.timeout);
    const problems = tooManyPending(counts, limits);
    const { finished, failed } = this.outcomes.within(limits.window, this.now());
    const failureRate = finished === 0 ? 0 : failed / finished;
    if (finished >= limits.minFinished && failureRate > limits.maxFailureRate)
      problems.push(
        `${failed} of the ${finished} jobs that finished lately have failed (maxFailureRate is ${limits.maxFailureRate})`,
      );
    if (limits.maxWait !== Infinity)
      problems.push(
        ...(await within(deadline - this.now(), this.clock, this.waitingTooLong(counts, limits.maxWait))),
      );
    const details: Details = { ...summaryOf(counts), failureRate };
    if (this.runtime.parts.outbox.isConfigured || isOutboxLimited(limits)) {
      const outbox = await this.outbox.within(deadline - this.now());
      problems.push(...outboxProblems(outbox, limits));
      Object.assign(details, { outboxOldestMs: outbox.oldestMs, outboxStuck: outbox.stuck });
    }
    if (limits.maxLateness === Infinity) return { problems, details };
    const overdue = await within(deadline - this.now(), this.clock, this.overdue(limits.maxLateness));
    for (const { name, lateness } of overdue)
      problems.push(`the schedule '${name}' is ${lateness} ms late (maxLateness is ${limits.maxLateness})`);
    return { problems, details: { ...details, overdue: overdue.map(({ name }) => name) } };
  }

  private overdue(maxLateness: number): Promise<OverdueSchedule[]> {
    return this.runtime.parts.schedules.operations.overdue(maxLateness, MAX_NAMED);
  }

  private async waitingTooLong(counts: readonly QueueCounts[], maxWait: number): Promise<string[]> {
    const paused = new Set(counts.filter((of) => of.paused).map(({ queue }) => queue));
    const problems: string[] = [];
    for (const job of this.watched.since(this.now() - maxWait)) {
      const { queue, taskId } = job;
      // Another process may have started the job without an event in this process.
      const waits = !paused.has(queue) && (await this.flowrra.getResult(taskId))?.status === 'pending';
      if (waits)
        problems.push(`${taskId} has waited in '${queue}' for ${Math.floor(this.now() - job.since)} ms`);
      else this.watched.drop(job);
    }
    return problems;
  }

  private now(): number {
    return this.clock.steady?.() ?? this.clock.now();
  }
}

function tooManyPending(counts: readonly QueueCounts[], { maxPending }: HealthLimits): string[] {
  if (typeof maxPending === 'number') {
    const pending = sum(counts, pendingIn);
    return pending > maxPending ? [`${pending} jobs wait (maxPending is ${maxPending})`] : [];
  }
  return [...maxPending].flatMap(([name, most]) => {
    const of = counts.find(({ queue }) => queue === name);
    if (of === undefined) return [`maxPending names the queue '${name}', which does not exist`];
    const pending = pendingIn(of);
    return pending > most ? [`${pending} jobs wait in '${name}' (maxPending is ${most})`] : [];
  });
}

function isOutboxLimited({ maxOutboxAge, maxOutboxStuck }: HealthLimits): boolean {
  return maxOutboxAge !== Infinity || maxOutboxStuck !== Infinity;
}

function outboxProblems(
  { oldestMs, stuck }: OutboxHealth,
  { maxOutboxAge, maxOutboxStuck }: HealthLimits,
): string[] {
  const problems: string[] = [];
  if (oldestMs !== null && oldestMs > maxOutboxAge)
    problems.push(
      `a job has waited in the outbox for ${Math.floor(oldestMs)} ms (maxOutboxAge is ${maxOutboxAge})`,
    );
  if (stuck > maxOutboxStuck)
    problems.push(`${stuck} jobs are stuck in the outbox (maxOutboxStuck is ${maxOutboxStuck})`);
  return problems;
}

function summaryOf(counts: readonly QueueCounts[]): Details {
  return {
    pending: sum(counts, pendingIn),
    running: sum(counts, ({ running }) => running),
    failed: sum(counts, ({ failed }) => failed),
    paused: counts.filter(({ paused }) => paused).map(({ queue }) => queue),
  };
}

function pendingIn({ pending, retrying }: QueueCounts): number {
  return pending + retrying;
}

function sum(counts: readonly QueueCounts[], of: (counts: QueueCounts) => number): number {
  return counts.reduce((total, each) => total + of(each), 0);
}
