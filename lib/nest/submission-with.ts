import type { Clock } from '../job/clock.js';
import { type BatchJob, resolveSubmitOptions, type SubmitOptions } from '../job/submit-options.js';
import type { Submitter } from '../run/submitter.js';
import type { TaskRegistry, TaskRoute } from '../run/task-registry.js';
import { TaskSubmission } from '../run/task-submission.js';
import type { FlowrraRuntime } from './flowrra.runtime.js';

/** Submissions with common options: the return value of `FlowrraService.with()`. */
export class SubmissionWith extends TaskSubmission {
  constructor(
    registry: TaskRegistry,
    private readonly runtime: FlowrraRuntime,
    private readonly clock: Clock,
    private readonly options: SubmitOptions,
  ) {
    super(registry);
  }

  protected get isConnected(): boolean {
    return this.runtime.isConnected;
  }

  protected assertConnected(): void {
    void this.runtime.parts;
  }

  protected send(route: TaskRoute, args: readonly unknown[]): Promise<string> {
    // Resolved at each submission, since `runAt` and `expires` are measured from it.
    const options = resolveSubmitOptions(this.options, this.clock.now());
    return Promise.resolve(this.runtime.parts.outbox.submitter.submit(route, args, options));
  }

  protected sendMany(route: TaskRoute, jobs: readonly BatchJob<unknown[]>[]): Promise<string[]> {
    return sendBatch(this.runtime.parts.outbox.submitter, this.clock, route, jobs, this.options);
  }
}

/**
 * Submits a batch.
 *
 * @param common Options of all jobs. The options of each job take precedence.
 */
export function sendBatch(
  submitter: Submitter,
  clock: Clock,
  route: TaskRoute,
  jobs: readonly BatchJob<unknown[]>[],
  common: SubmitOptions,
): Promise<string[]> {
  const now = clock.now();
  const shared = resolveSubmitOptions(common, now);
  const submissions = jobs.map(({ args, ...own }) => ({
    args,
    options: Object.keys(own).length === 0 ? shared : resolveSubmitOptions({ ...common, ...own }, now),
  }));
  return submitter.submitMany(route, submissions);
}
