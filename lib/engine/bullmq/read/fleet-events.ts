import type { FlowrraEvent } from '../../../job/events.js';
import type { TaskError } from '../../../job/task-result.js';
import type { AttemptError } from '../../../job/job.js';
import type { AnyEvents, AnyQueue } from '../server/bull-server.js';
import { stateOf } from './job-view.js';

/** Of so many submissions of this process it is remembered that they need no telling: events may be lost. */
const MOST_REMEMBERED = 10_000;

type Heard = 'added' | 'active' | 'completed' | 'failed';
type Job = NonNullable<Awaited<ReturnType<AnyQueue['getJob']>>>;

/**
 * Tells what other processes do with jobs, as BullMQ's own events tell it. Those name little more
 * than an id, so each costs a look at its job.
 */
export class FleetEvents {
  private readonly submittedHere = new Set<string>();
  private readonly cancelledHere = new Set<string>();

  /** @param worker The name of this process's workers, whose doings are told already. */
  constructor(
    private readonly worker: string,
    private readonly report: (event: FlowrraEvent) => void,
    private readonly trouble: (error: Error) => void,
  ) {}

  /** To be told before the submission, so that the event cannot come first. */
  submitting(taskIds: readonly string[]): void {
    for (const taskId of taskIds) this.submittedHere.add(taskId);
    forgetOldest(this.submittedHere);
  }

  /** To be told before the cancellation of a job; returns what is to be called if it did not wait. */
  cancelling(taskId: string): () => void {
    this.cancelledHere.add(taskId);
    forgetOldest(this.cancelledHere);
    return () => void this.cancelledHere.delete(taskId);
  }

  listen(name: string, queue: AnyQueue, events: AnyEvents): void {
    let turn: Promise<void> = Promise.resolve();
    const hear = (what: Heard) => (heard: { jobId: string }) => {
      // One after the other: they are to be told in order.
      turn = turn.then(() => this.hear(what, name, queue, heard.jobId)).catch(this.trouble);
    };
    events.on('added', hear('added'));
    events.on('active', hear('active'));
    events.on('completed', hear('completed'));
    events.on('failed', hear('failed'));
  }

  private async hear(what: Heard, name: string, queue: AnyQueue, taskId: string): Promise<void> {
    if (what === 'added' && this.submittedHere.delete(taskId)) return;
    if (what === 'failed' && this.cancelledHere.delete(taskId)) return;
    const job = await queue.getJob(taskId);
    if (job === undefined || (what !== 'added' && job.processedBy === this.worker)) return;
    this.report(eventOf(what, name, job));
  }
}

function forgetOldest(remembered: Set<string>): void {
  for (const oldest of remembered) {
    if (remembered.size <= MOST_REMEMBERED) return;
    remembered.delete(oldest);
  }
}

function eventOf(what: Heard, queue: string, job: Job): FlowrraEvent {
  const about = { taskId: job.id as string, taskName: job.name, queue };
  const ended = new Date(job.finishedOn ?? 0);
  const began = new Date(job.processedOn ?? 0);
  const attempt = job.attemptsMade;
  switch (what) {
    case 'added': {
      const { priority = 0, delay = 0 } = job.opts;
      return { type: 'submitted', ...about, at: new Date(job.timestamp), priority, delay };
    }
    case 'active':
      // By now it may have ended, and then this attempt counts already.
      return {
        type: 'started',
        ...about,
        at: began,
        attempt: job.finishedOn === undefined ? attempt + 1 : attempt,
      };
    case 'completed':
      return {
        type: 'succeeded',
        ...about,
        at: ended,
        attempt,
        durationMs: ended.getTime() - began.getTime(),
      };
    case 'failed': {
      const { status, reason, errors } = stateOf(job, 'failed');
      if (status === 'cancelled')
        return { type: 'cancelled', ...about, at: ended, attempt, reason: reason ?? '' };
      return { type: 'failed', ...about, at: ended, attempt, error: dated(errors.at(-1) as AttemptError) };
    }
  }
}

function dated(error: AttemptError): TaskError {
  return { ...error, at: new Date(error.at) };
}
