import type { FlowrraEvent } from '../job/events.js';

/** A job that was due when it was submitted, and has not been heard to start. */
export interface WatchedJob {
  readonly taskId: string;
  readonly queue: string;
  /** Milliseconds of a time that never goes back. */
  readonly since: number;
}

/**
 * One job of each queue, to see whether the queue moves. How long the first of all jobs has waited no
 * engine can tell at a bounded cost; whether a single one still waits, every engine can.
 */
export class WatchedJobs {
  private readonly byQueue = new Map<string, WatchedJob>();

  /** @param now When the event was heard. */
  hear(event: FlowrraEvent, now: number): void {
    const { type, taskId, queue } = event;
    if (type === 'started' || type === 'cancelled') this.drop(event);
    else if (type === 'submitted' && event.delay === 0 && !this.byQueue.has(queue))
      this.byQueue.set(queue, { taskId, queue, since: now });
  }

  /** Those that have been there since that time or longer. */
  since(time: number): WatchedJob[] {
    return [...this.byQueue.values()].filter(({ since }) => since <= time);
  }

  /** It does not wait any more: the next one that is submitted takes its place. */
  drop({ queue, taskId }: Pick<WatchedJob, 'queue' | 'taskId'>): void {
    if (this.byQueue.get(queue)?.taskId === taskId) this.byQueue.delete(queue);
  }
}
