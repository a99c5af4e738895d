import type { NewJob } from '../../../job/job.js';
import type { Retention } from '../../../job/queue.js';
import { IdGenerator, submissionToken } from '../id-generator.js';
import { dataOf, type KeepRule, keepRuleOf, optionsOf, type QueuedJob } from '../job-mapping.js';

/** Turns jobs into those of BullMQ. A job without an id gets one. */
export class QueuedJobs {
  private readonly ids = new IdGenerator();
  private readonly keep: KeepRule;

  constructor(retention: Retention) {
    this.keep = keepRuleOf(retention);
  }

  /** @param now The time of the submission. */
  of(job: NewJob, now: number): QueuedJob {
    const { queue, taskName: name } = job;
    const taskId = job.taskId ?? this.ids.next(queue, now);
    const options = optionsOf(job, taskId, now, this.keep);
    const marked = job.taskId === undefined ? options : { ...options, submission: submissionToken() };
    return { queue, name, data: dataOf(job), options: marked, tags: job.tags };
  }
}
