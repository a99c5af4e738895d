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

/** An event of a job, as `events$` emits it. `delay` and `durationMs` are milliseconds. */
export type FlowrraEvent =
  | (JobEvent & { readonly type: 'submitted'; readonly priority: number; readonly delay: number })
  /** A submission added no job, because a job with the same dedupe key exists: `taskId` is its id. */
  | (JobEvent & { readonly type: 'deduplicated'; readonly key: string })
  | (AttemptEvent & { readonly type: 'started' })
  | (AttemptEvent & { readonly type: 'progress'; readonly progress: unknown })
  | (AttemptEvent & { readonly type: 'log'; readonly line: string })
  | (AttemptEvent & { readonly type: 'succeeded'; readonly durationMs: number })
  /** The job has failed for good. */
  | (AttemptEvent & { readonly type: 'failed'; readonly error: TaskError })
  /** The attempt has failed, and the next one is due after `delay`. */
  | (AttemptEvent & { readonly type: 'retrying'; readonly error: TaskError; readonly delay: number })
  /** The task asked to run again after `delay`. This uses no retry. */
  | (AttemptEvent & { readonly type: 'snoozed'; readonly delay: number })
  /** The method waits, and holds no worker: for `delay`, or until a message if it is `null`. */
  | (AttemptEvent & { readonly type: 'suspended'; readonly delay: number | null })
  /** A durable job goes on: follows its `started` event. */
  | (AttemptEvent & { readonly type: 'resumed' })
  /** A step has ended: `error` is `null` if it has succeeded. */
  | (AttemptEvent & {
      readonly type: 'stepFinished';
      readonly step: string;
      readonly durationMs: number;
      readonly error: TaskError | null;
    })
  /** `flowrra.signal` has stored a signal. */
  | (JobEvent & { readonly type: 'signalled'; readonly signal: string })
  /** The attempt does not count, and the job waits again: its process stops, or does not know the task. */
  | (AttemptEvent & { readonly type: 'released'; readonly delay: number })
  | (AttemptEvent & { readonly type: 'cancelled'; readonly reason: string })
  /** An occurrence of a schedule was submitted, `lateness` milliseconds after its time and its jitter. */
  | (JobEvent & {
      readonly type: 'scheduled';
      readonly schedule: string;
      readonly occurrence: Date;
      readonly lateness: number;
      /** The number of missed occurrences that the job makes up for. */
      readonly missed: number;
    })
  /** Occurrences of a schedule were skipped. No job has the `taskId`. */
  | (JobEvent & {
      readonly type: 'occurrenceSkipped';
      readonly schedule: string;
      /** The last one of them. */
      readonly occurrence: Date;
      /** `missed`: more than a minute late. `overlap`: the previous job was unfinished. */
      readonly reason: 'missed' | 'overlap';
      readonly count: number;
    })
  /** An operator has retried a failed job: it waits again. */
  | (JobEvent & { readonly type: 'requeued' })
  /**
   * Follows each `requeued` event.
   *
   * @deprecated Use `requeued`. The next version no longer emits `redriven`.
   */
  | (JobEvent & { readonly type: 'redriven' });
