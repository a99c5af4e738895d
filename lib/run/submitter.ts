import { randomBytes } from 'node:crypto';
import { type Accepted, Duplicate, type Metadata, type NewJob } from '../job/job.js';
import { type MaybePromise, isPromise } from '../job/async.js';
import type { ContextOptions } from '../job/task-options.js';
import type { ResolvedSubmit } from '../job/submit-options.js';
import { packMetadata } from '../job/metadata.js';
import { FlowrraConfigError, SubmitUncertainError } from '../job/errors.js';
import { parentTag, tagsOfJob } from '../job/tags.js';
import type { Instrumentation, TraceCarrier, SubmittedBatch } from './instrumentation.js';
import { copyPlain, type PayloadCodec } from '../job/payload/payload-codec.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';
import type { TaskRoute } from './task-registry.js';

/** One call of a batch. */
export interface Submission {
  readonly args: readonly unknown[];
  readonly options: ResolvedSubmit;
}

/** The part of an engine that accepts jobs. */
export interface JobSink {
  enqueue(job: NewJob): MaybePromise<Accepted>;
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<Accepted[]>;
}

/** Turns a call into a job and hands it to the engine. */
export class Submitter {
  constructor(
    private readonly engine: JobSink,
    private readonly codec: PayloadCodec,
    /** `null` if the jobs are not in the engine yet, so that nothing is told of them. */
    private readonly observer: Pick<RunObserver, 'submitted' | 'deduplicated'> | null,
    private readonly recorder: ResultRecorder | null,
    private readonly context: Pick<ContextOptions, 'capture'> | null,
    private readonly instrumentation: Instrumentation | null,
  ) {}

  submit(route: TaskRoute, args: readonly unknown[], options: ResolvedSubmit): MaybePromise<string> {
    if (this.instrumentation === null) return this.checkAndSend(route, this.job(route, args, options));
    return this.instrumented(this.instrumentation, route, args, options);
  }

  /** Apart: V8 calls a function that contains a closure more slowly, even if it creates none. */
  private instrumented(
    instrumentation: Instrumentation,
    route: TaskRoute,
    args: readonly unknown[],
    options: ResolvedSubmit,
  ): MaybePromise<string> {
    return instrumentation.submit(batchOf(route, 1, options.cause), (carry) =>
      this.checkAndSend(route, this.job(route, args, options, carry)),
    );
  }

  private checkAndSend(route: TaskRoute, job: NewJob): MaybePromise<string> {
    return route.validate ? this.validated(route.validate, job) : this.send(job);
  }

  private async validated(validate: NonNullable<TaskRoute['validate']>, job: NewJob): Promise<string> {
    await validate(copyPlain(job.args) as unknown[]);
    return this.send(job);
  }

  private send(job: NewJob): MaybePromise<string> {
    if (this.recorder !== null)
      return this.recorded(this.recorder, [job]).then(([taskId]) => taskId as string);
    const accepted = this.engine.enqueue(job);
    if (isPromise(accepted)) return accepted.then((answer) => this.announce(answer, job));
    return this.announce(accepted, job);
  }

  /** Submits all jobs in one operation. If one is rejected, all are; except on engines that cannot do this. */
  async submitMany(route: TaskRoute, submissions: readonly Submission[]): Promise<string[]> {
    if (this.instrumentation === null) return this.sendMany(route, submissions);
    return this.instrumentation.submit(batchOf(route, submissions.length, undefined), (carry) =>
      this.sendMany(route, submissions, carry),
    );
  }

  private async sendMany(
    route: TaskRoute,
    submissions: readonly Submission[],
    carry?: TraceCarrier,
  ): Promise<string[]> {
    const jobs = submissions.map(({ args, options }) => this.job(route, args, options, carry));
    if (route.validate) for (const { args } of jobs) await route.validate(copyPlain(args) as unknown[]);
    return this.submitJobs(jobs);
  }

  /** Hands jobs to the engine. Returns the ids of the jobs that stand for them. */
  async submitJobs(jobs: readonly NewJob[]): Promise<string[]> {
    if (this.recorder !== null) return this.recorded(this.recorder, jobs);
    return this.announceAll(await this.engine.enqueueMany(jobs), jobs);
  }

  private job(
    route: TaskRoute,
    args: readonly unknown[],
    options: ResolvedSubmit,
    carry?: TraceCarrier,
  ): NewJob {
    const { dedupe, delay } = options;
    if (delay > 0) rejectExpired(route, options);
    const metadata = this.metadata(options, carry?.(options));
    return {
      taskId: options.taskId,
      taskName: route.name,
      queue: route.queue,
      priority: options.priority,
      delay,
      args: this.codec.copyArgs(args),
      overrides: options.overrides,
      metadata: metadata === undefined ? undefined : this.codec.copyMetadata(metadata),
      tags: this.tags(route, args, options),
      dedupe: dedupe === undefined ? undefined : { ...dedupe, key: `${route.name}/${dedupe.key}` },
      bypassMaxPending: options.bypassMaxPending === true,
    };
  }

  private tags(route: TaskRoute, args: readonly unknown[], { tags, parent }: ResolvedSubmit) {
    const all = route.tags === undefined ? tags : tagsOfJob(route.name, route.tags, args, tags);
    return parent === undefined ? all : [...(all ?? []), parentTag(parent)];
  }

  /** The context of the calling code, for a submission that is sent later. */
  captured(): unknown {
    return this.context?.capture();
  }

  private metadata(
    { metadata, context, schedule, parent }: ResolvedSubmit,
    trace: unknown,
  ): Metadata | undefined {
    const captured = this.context === null ? undefined : (context ?? this.context.capture());
    const alone =
      captured === undefined && trace === undefined && schedule === undefined && parent === undefined;
    if (metadata === undefined && alone) return undefined;
    // Copied before the other parts are added: a toJSON() of the metadata would leave them out.
    const own = metadata === undefined || alone ? metadata : this.codec.copyMetadata(metadata);
    const copied = captured === undefined ? undefined : this.codec.copyContext(captured);
    return packMetadata(own, { context: copied, trace, schedule, parent });
  }

  /**
   * A configured backend records a job before the engine accepts it: otherwise the first state could
   * overwrite a later one. So the id is generated here.
   */
  private async recorded(recorder: ResultRecorder, jobs: readonly NewJob[]): Promise<string[]> {
    const identified = jobs.map((job) => ({ ...job, taskId: job.taskId ?? randomId() }));
    const fresh = await Promise.all(
      identified.map(({ taskId }, index) => recorder.submitted(taskId, jobs[index] as NewJob)),
    );
    const accepted = await this.accepted(identified, () => {
      for (const [index, { taskId }] of identified.entries()) if (fresh[index]) void recorder.forget(taskId);
    });
    for (const [index, { taskId }] of identified.entries()) {
      const answer = accepted[index];
      // The existing job is recorded under its own id.
      if (answer instanceof Duplicate && answer.taskId !== taskId) void recorder.forget(taskId);
    }
    return this.announceAll(accepted, identified);
  }

  /** @param rejected Called if the engine has certainly accepted no job. */
  private async accepted(jobs: readonly NewJob[], rejected: () => void): Promise<Accepted[]> {
    try {
      return await this.engine.enqueueMany(jobs);
    } catch (error) {
      if (!(error instanceof SubmitUncertainError)) rejected();
      throw error;
    }
  }

  private announceAll(accepted: readonly Accepted[], jobs: readonly NewJob[]): string[] {
    return accepted.map((answer, index) => this.announce(answer, jobs[index] as NewJob));
  }

  private announce(accepted: Accepted, job: NewJob): string {
    if (typeof accepted === 'string') {
      this.observer?.submitted(accepted, job);
      return accepted;
    }
    const { taskId } = accepted;
    const key = job.dedupe?.key.slice(job.taskName.length + 1);
    this.observer?.deduplicated(taskId, job, key ?? taskId);
    return taskId;
  }
}

/** An `expires` of the submission itself was checked with its options. */
function rejectExpired({ name, policy }: TaskRoute, { delay, overrides }: ResolvedSubmit): void {
  if (policy === undefined || delay < policy.expires || overrides?.expires !== undefined) return;
  throw new FlowrraConfigError(
    `delay: a job of '${name}' expires ${policy.expires} ms after its submission, and this one is due after ${delay} ms, so it would never run. Use a shorter delay or a longer expires: with({ expires }).`,
  );
}

function batchOf({ name, queue }: TaskRoute, jobs: number, cause: unknown): SubmittedBatch {
  return { taskName: name, queue, jobs, cause };
}

function randomId(): string {
  return `j${randomBytes(17).toString('base64url')}`;
}
