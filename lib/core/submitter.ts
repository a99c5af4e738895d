import { randomBytes } from 'node:crypto';
import type { Engine, MaybePromise, NewJob } from '../engine/engine.interface.js';
import { isPromise } from '../engine/maybe-promise.js';
import type { ResolvedSubmit } from '../options/resolved-options.js';
import type { PayloadCodec } from './payload/payload-codec.js';
import type { ResultRecorder } from './result-recorder.js';
import type { RunObserver } from './run-observer.js';
import type { TaskRoute } from './task-registry.js';

/** Turns a call into a job and hands it to the engine. */
export class Submitter {
  constructor(
    private readonly engine: Engine,
    private readonly codec: PayloadCodec,
    private readonly observer: RunObserver,
    private readonly recorder: ResultRecorder | null,
  ) {}

  submit(route: TaskRoute, args: readonly unknown[], options: ResolvedSubmit): MaybePromise<string> {
    const job = this.job(route, args, options);
    if (this.recorder !== null)
      return this.recorded(this.recorder, [job]).then(([taskId]) => taskId as string);
    const taskId = this.engine.enqueue(job);
    if (isPromise(taskId)) return taskId.then((id) => this.announce(id, job));
    return this.announce(taskId, job);
  }

  /** All in one go: either every job is accepted or, where the engine can, none. */
  async submitMany(
    route: TaskRoute,
    argsList: readonly (readonly unknown[])[],
    options: ResolvedSubmit,
  ): Promise<string[]> {
    const jobs = argsList.map((args) => this.job(route, args, options));
    if (this.recorder !== null) return this.recorded(this.recorder, jobs);
    const taskIds = await this.engine.enqueueMany(jobs);
    return taskIds.map((taskId, index) => this.announce(taskId, jobs[index] as NewJob));
  }

  private job(route: TaskRoute, args: readonly unknown[], options: ResolvedSubmit): NewJob {
    return {
      taskId: options.taskId,
      taskName: route.name,
      queue: route.queue,
      priority: options.priority,
      delay: options.delay,
      args: this.codec.copyArgs(args),
      overrides: options.overrides,
    };
  }

  /**
   * A configured backend hears of a job before the engine does, or its first state could overwrite
   * a later one. So the id has to be known before the engine could mint one.
   */
  private async recorded(recorder: ResultRecorder, jobs: readonly NewJob[]): Promise<string[]> {
    const identified = jobs.map((job) => ({ ...job, taskId: job.taskId ?? randomId() }));
    await Promise.all(jobs.map((job, index) => recorder.submitted(identified[index]?.taskId as string, job)));
    const taskIds = await this.engine.enqueueMany(identified);
    return taskIds.map((taskId, index) => this.announce(taskId, identified[index] as NewJob));
  }

  private announce(taskId: string, job: NewJob): string {
    this.observer.submitted(taskId, job);
    return taskId;
  }
}

function randomId(): string {
  return `j${randomBytes(17).toString('base64url')}`;
}
