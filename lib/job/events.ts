import type { TaskError } from './task-result.js';

interface JobEvent {
  readonly taskId: string;
  readonly taskName: string;
  readonly queue: string;
  /** When it happened. */
  readonly at: Date;
}

interface AttemptEvent extends JobEvent {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
}

/** What happens to jobs, as `events$` tells it. `delay` and `durationMs` are milliseconds. */
export type FlowrraEvent =
  | (JobEvent & { readonly type: 'submitted'; readonly priority: number; readonly delay: number })
  /** A submission added nothing: the job of this id, with the same key, stands in its place. */
  | (JobEvent & { readonly type: 'deduplicated'; readonly key: string })
  | (AttemptEvent & { readonly type: 'started' })
  | (AttemptEvent & { readonly type: 'progress'; readonly progress: unknown })
  | (AttemptEvent & { readonly type: 'log'; readonly line: string })
  | (AttemptEvent & { readonly type: 'succeeded'; readonly durationMs: number })
  /** The job has failed for good. */
  | (AttemptEvent & { readonly type: 'failed'; readonly error: TaskError })
  /** The attempt has failed, and another one follows after `delay`. */
  | (AttemptEvent & { readonly type: 'retrying'; readonly error: TaskError; readonly delay: number })
  /** The task has asked to come back later, which uses up no retry. */
  | (AttemptEvent & { readonly type: 'snoozed'; readonly delay: number })
  /** The job was given back, and the attempt does not count: its process stops, say, or does not know the task. */
  | (AttemptEvent & { readonly type: 'released'; readonly delay: number })
  | (AttemptEvent & { readonly type: 'cancelled'; readonly reason: string })
  /** An operator has retried a failed job: it waits again. */
  | (JobEvent & { readonly type: 'requeued' })
  /**
   * Follows each `requeued` event.
   *
   * @deprecated Use `requeued`. The next version no longer emits `redriven`.
   */
  | (JobEvent & { readonly type: 'redriven' });
