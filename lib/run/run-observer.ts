import type { ChangedJob } from '../engine/control.js';
import type { Attempt, AttemptError, NewJob } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import type { Clock } from '../job/clock.js';
import type { EventHub } from './event-hub.js';
import type { FlowrraEvent } from '../job/events.js';
import { dueAt, occurrenceId, type PastOccurrence, type Schedule } from '../job/schedule/schedule.js';
import type { TaskError } from '../job/task-result.js';

/** Emits the events of jobs. Creates no event while there is no subscriber. */
export class RunObserver {
  constructor(
    private readonly hub: EventHub,
    private readonly clock: Clock,
  ) {}

  get isObserved(): boolean {
    return this.hub.observed;
  }

  submitted(taskId: string, job: NewJob): void {
    if (!this.hub.observed) return;
    const { taskName, queue, priority, delay } = job;
    this.hub.emit({ type: 'submitted', taskId, taskName, queue, at: this.now(), priority, delay });
  }

  /** @param key The submitter's key, without the task's name. */
  deduplicated(taskId: string, { taskName, queue }: NewJob, key: string): void {
    if (!this.hub.observed) return;
    this.hub.emit({ type: 'deduplicated', taskId, taskName, queue, at: this.now(), key });
  }

  started(attempt: Attempt): void {
    this.hub.changed(attempt.taskId);
    if (this.hub.observed) this.hub.emit({ type: 'started', ...this.about(attempt) });
  }

  /** Call it once the outcome is stored, so that a subscriber can read the result. */
  settled(attempt: Attempt, outcome: Outcome): void {
    this.hub.changed(attempt.taskId);
    if (this.hub.observed) this.hub.emit(this.eventOf(attempt, outcome));
  }

  /** A durable job goes on. */
  resumed(attempt: Attempt): void {
    if (this.hub.observed) this.hub.emit({ type: 'resumed', ...this.about(attempt) });
  }

  /** @param error `null` if the step has succeeded. */
  stepFinished(attempt: Attempt, step: string, startedAt: number, error: AttemptError | null): void {
    this.hub.changed(attempt.taskId);
    if (!this.hub.observed) return;
    const durationMs = this.clock.now() - startedAt;
    const about = this.about(attempt);
    this.hub.emit({ type: 'stepFinished', ...about, step, durationMs, error: error && dated(error) });
  }

  /** A signal was stored for a job. */
  signalled(
    { taskId, taskName, queue }: Pick<ChangedJob, 'taskId' | 'taskName' | 'queue'>,
    signal: string,
  ): void {
    if (this.hub.observed)
      this.hub.emit({ type: 'signalled', taskId, taskName, queue, at: this.now(), signal });
  }

  progress(attempt: Attempt, progress: unknown): void {
    if (this.hub.observed) this.hub.emit({ type: 'progress', ...this.about(attempt), progress });
  }

  logged(attempt: Attempt, line: string): void {
    if (this.hub.observed) this.hub.emit({ type: 'log', ...this.about(attempt), line });
  }

  /** Progress or log lines are stored. */
  reported({ taskId }: Attempt): void {
    this.hub.changed(taskId);
  }

  /** A job has ended as cancelled without an outcome of an attempt. */
  cancelled({ taskId, taskName, queue, retries, reason }: ChangedJob): void {
    this.hub.changed(taskId);
    if (!this.hub.observed) return;
    const about = { taskId, taskName, queue, attempt: retries + 1, at: this.now() };
    this.hub.emit({ type: 'cancelled', ...about, reason: reason ?? '' });
  }

  requeued({ taskId, taskName, queue }: ChangedJob): void {
    this.hub.changed(taskId);
    if (!this.hub.observed) return;
    const about = { taskId, taskName, queue, at: this.now() };
    this.hub.emit({ type: 'requeued', ...about });
    // The former name, for one version.
    this.hub.emit({ type: 'redriven', ...about });
  }

  /** An occurrence was submitted or skipped. */
  occurrence(of: Schedule, past: PastOccurrence): void {
    if (!this.hub.observed) return;
    const { name: schedule, taskName, queue } = of;
    const { at, handledAt, kind, missed } = past;
    const taskId = past.taskId ?? occurrenceId(schedule, at);
    const about = { taskId, taskName, queue, at: this.now(), schedule, occurrence: new Date(at) };
    if (kind === 'missed' || kind === 'overlap')
      this.hub.emit({ type: 'occurrenceSkipped', ...about, reason: kind, count: Math.max(1, missed) });
    else this.hub.emit({ type: 'scheduled', ...about, lateness: handledAt - dueAt(of, at), missed });
  }

  private eventOf(attempt: Attempt, outcome: Outcome): FlowrraEvent {
    const about = this.about(attempt);
    switch (outcome.kind) {
      case 'success':
        return { type: 'succeeded', ...about, durationMs: this.clock.now() - attempt.startedAt };
      case 'failed':
        return { type: 'failed', ...about, error: dated(outcome.error) };
      case 'retry':
        // The memory store has counted the retry in this same object.
        return {
          type: 'retrying',
          ...about,
          attempt: outcome.error.attempt,
          error: dated(outcome.error),
          delay: outcome.delay,
        };
      case 'snoozed':
        return { type: 'snoozed', ...about, delay: outcome.delay };
      case 'suspended':
        return { type: 'suspended', ...about, delay: outcome.delay };
      case 'released':
        return { type: 'released', ...about, delay: outcome.delay };
      case 'cancelled':
        return { type: 'cancelled', ...about, reason: outcome.reason };
    }
  }

  private about(attempt: Attempt) {
    const { taskId, taskName, queue, retries } = attempt;
    return { taskId, taskName, queue, attempt: retries + 1, at: this.now() };
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

function dated(error: AttemptError): TaskError {
  return { ...error, at: new Date(error.at) };
}
