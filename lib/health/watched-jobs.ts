import type { FlowrraEvent } from '../job/events.js';

/** A job that was due when it was submitted, and whose start has not been reported. */
export interface WatchedJob {
  readonly taskId: string;
  readonly queue: string;
  /** The time of the submission, in milliseconds of a clock that is never set back. */
  readonly since: number;
}

/**
 * Watches one job of each queue, to check whether the queue makes progress. No engine can tell at a limited cost
 * how long its oldest job has waited. Every engine can tell whether one job still waits.
 */
export class WatchedJobs {
  private readonly byQueue = new Map<string, WatchedJob>();

  /** @param now When the event was received. */
  record(event: FlowrraEvent, now: number): void {
    const { type, taskId, queue } = event;
    if (type === 'started' || type === 'cancelled') this.drop(event);
    else if (type === 'submitted' && event.delay === 0 && !this.byQueue.has(queue))
      this.byQueue.set(queue, { taskId, queue, since: now });
  }

  /** The watched jobs that were submitted at `time` or before. */
  since(time: number): WatchedJob[] {
    return [...this.byQueue.values()].filter(({ since }) => since <= time);
  }

  /** Stops watching a job. The next submission to its queue is watched instead. */
  drop({ queue, taskId }: Pick<WatchedJob, 'queue' | 'taskId'>): void {
    if (this.byQueue.get(queue)?.taskId === taskId) this.byQueue.delete(queue);
  }
}
