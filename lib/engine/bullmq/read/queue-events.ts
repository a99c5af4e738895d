import type { FlowrraEvent } from '../../../job/events.js';
import type { AttemptError } from '../../../job/job.js';
import type { TaskError } from '../../../job/task-result.js';
import type { EngineHost } from '../../engine.js';
import type { BullQueues } from '../server/bull-queues.js';
import type { AnyEvents, AnyQueue, BullServer } from '../server/bull-server.js';
import type { OutageLog } from '../server/outage-log.js';
import { stateOf } from './job-row.js';

/** The most ids that are remembered as this process's own: their events may be lost. */
const MAX_REMEMBERED = 10_000;

/** The events that tell of a change that a watch shows. A report of log lines alone has no event. */
const CHANGES = ['active', 'progress', 'waiting', 'delayed', 'completed', 'failed'] as const;

type BullEvent = 'added' | 'active' | 'completed' | 'failed';
type Job = NonNullable<Awaited<ReturnType<AnyQueue['getJob']>>>;

/** Listens for BullMQ's events of queues. Each queue that is listened to holds a connection. */
export class QueueListeners {
  private readonly opening = new Map<string, Promise<AnyEvents>>();
  private readonly open = new Set<string>();
  private readonly onEnded = new Set<(taskId: string) => void>();
  private readonly onChanged = new Map<string, Set<() => void>>();

  constructor(
    private readonly server: BullServer,
    private readonly outages: OutageLog,
  ) {}

  /** Calls `ended` when a job ends, in any process, in a queue that is listened to. */
  subscribe(ended: (taskId: string) => void): void {
    this.onEnded.add(ended);
  }

  /**
   * Calls `changed` when a job changes, in any process, and when events of its queue begin to arrive. Returns a
   * function that ends this.
   */
  watch({ taskId, queue }: { taskId: string; queue: string }, changed: () => void): () => void {
    const watchers = this.onChanged.get(taskId) ?? new Set();
    this.onChanged.set(taskId, watchers.add(changed));
    this.listen(queue).then(changed, this.outages.report);
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0) this.onChanged.delete(taskId);
    };
  }

  /** Resolves when events of that queue arrive. */
  listen(name: string): Promise<AnyEvents> {
    let listening = this.opening.get(name);
    if (listening === undefined) {
      listening = this.connect(name);
      this.opening.set(name, listening);
      listening.catch(() => this.opening.delete(name));
    }
    return listening;
  }

  /** Whether events of that queue arrive. */
  isListening(name: string): boolean {
    return this.open.has(name);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.opening.values()].map(async (opening) => (await opening).close()));
  }

  private async connect(name: string): Promise<AnyEvents> {
    const { report } = this.outages;
    const events = this.server.events(name);
    const ended = ({ jobId }: { jobId: string }): void => this.onEnded.forEach((listener) => listener(jobId));
    const changed = ({ jobId }: { jobId: string }): void =>
      this.onChanged.get(jobId)?.forEach((watcher) => watcher());
    events.on('error', report);
    events.on('completed', ended);
    events.on('failed', ended);
    for (const type of CHANGES) events.on(type, changed);
    await events.waitUntilReady().catch((error: unknown) => {
      void events.close().catch(report);
      throw error;
    });
    this.open.add(name);
    return events;
  }
}

/** Reports the jobs of other processes, by BullMQ's events. These contain only an id, so each costs a read of the job. */
export class FleetEvents {
  private readonly submittedHere = new Set<string>();
  private readonly cancelledHere = new Set<string>();
  /** Resolves when the ids of all jobs are known that this process is cancelling. */
  private held: Promise<unknown> = Promise.resolve();

  /** @param worker The name of this process's workers, which report their jobs themselves. */
  constructor(
    private readonly worker: string,
    private readonly queues: BullQueues,
    private readonly host: Pick<EngineHost, 'notify'>,
    private readonly outages: OutageLog,
  ) {}

  /** Listens to all queues. */
  async start(listeners: QueueListeners): Promise<void> {
    const { names } = this.queues;
    const events = await Promise.all(names.map((name) => listeners.listen(name)));
    names.forEach((name, index) => this.listen(name, events[index] as AnyEvents));
  }

  /** To be called before a submission, since its event may arrive before its answer. */
  submitting(taskIds: readonly string[]): void {
    for (const taskId of taskIds) this.submittedHere.add(taskId);
    forgetOldest(this.submittedHere);
  }

  /** To be called before a cancellation. Call the returned function if the job did not wait. */
  cancelling(taskId: string): () => void {
    this.cancelledHere.add(taskId);
    forgetOldest(this.cancelledHere);
    return () => void this.cancelledHere.delete(taskId);
  }

  /** To be called before jobs are cancelled that are not known yet. Call the returned function with their ids. */
  cancellingMany(): (taskIds: readonly string[]) => void {
    let done = (): void => undefined;
    const held = new Promise<void>((resolve) => (done = resolve));
    this.held = Promise.all([this.held, held]);
    return (taskIds) => {
      for (const taskId of taskIds) this.cancelledHere.add(taskId);
      forgetOldest(this.cancelledHere);
      done();
    };
  }

  private listen(queue: string, events: AnyEvents): void {
    let last: Promise<void> = Promise.resolve();
    const handler = (type: BullEvent) => (event: { jobId: string }) => {
      // One after the other, in the order of the events.
      last = last.then(() => this.handle(type, queue, event.jobId)).catch(this.outages.report);
    };
    for (const type of ['added', 'active', 'completed', 'failed'] as const) events.on(type, handler(type));
  }

  private async handle(type: BullEvent, queue: string, taskId: string): Promise<void> {
    if (type === 'added' && this.submittedHere.delete(taskId)) return;
    if (type === 'failed') await this.held;
    if (type === 'failed' && this.cancelledHere.delete(taskId)) return;
    const job = await this.queues.get(queue).getJob(taskId);
    if (job === undefined || (type !== 'added' && job.processedBy === this.worker)) return;
    this.host.notify({ type: 'remote', event: eventOf(type, queue, job) });
  }
}

function forgetOldest(remembered: Set<string>): void {
  for (const oldest of remembered) {
    if (remembered.size <= MAX_REMEMBERED) return;
    remembered.delete(oldest);
  }
}

function eventOf(type: BullEvent, queue: string, job: Job): FlowrraEvent {
  const common = { taskId: job.id as string, taskName: job.name, queue };
  const ended = new Date(job.finishedOn ?? 0);
  const started = new Date(job.processedOn ?? 0);
  const made = job.attemptsMade;
  switch (type) {
    case 'added': {
      const { priority = 0, delay = 0 } = job.opts;
      return { type: 'submitted', ...common, at: new Date(job.timestamp), priority, delay };
    }
    case 'active': {
      // If the attempt has ended by now, it counts as made.
      const attempt = job.finishedOn === undefined ? made + 1 : made;
      return { type: 'started', ...common, at: started, attempt };
    }
    case 'completed': {
      const durationMs = ended.getTime() - started.getTime();
      return { type: 'succeeded', ...common, at: ended, attempt: made, durationMs };
    }
    case 'failed': {
      const { status, reason, errors } = stateOf(job, 'failed');
      if (status === 'cancelled')
        return { type: 'cancelled', ...common, at: ended, attempt: made, reason: reason ?? '' };
      const error = taskErrorOf(errors.at(-1) as AttemptError);
      return { type: 'failed', ...common, at: ended, attempt: made, error };
    }
  }
}

function taskErrorOf(error: AttemptError): TaskError {
  return { ...error, at: new Date(error.at) };
}
