import type { QueuedJob } from '../job-mapping.js';
import { closedBeforeSent, NotSentError } from '../server/call-limiter.js';
import { NoAnswerError, type SharedTimeout } from '../server/shared-timeout.js';

/** The most jobs of one call. */
const MAX_JOBS = 500;

/**
 * PostgreSQL adds up to this many jobs faster one by one than in one call, which creates temporary tables.
 */
const FEW = 10;

interface Add {
  readonly jobs: readonly QueuedJob[];
  resolve(ids: string[]): void;
  reject(error: unknown): void;
}

/**
 * Adds jobs to one queue in the order of their submissions. The connections of a pool can overtake each
 * other, so there is one call at a time; submissions that arrive meanwhile share the next call. The
 * timeout starts when a call is sent. If a call times out, all waiting submissions are rejected, and so
 * are further ones until the call is over.
 */
export class OrderedAdds {
  private waiting: Add[] = [];
  private running = false;
  /** The error of the call that has timed out and is not over. */
  private noAnswer: NoAnswerError | null = null;
  /** Resolves when that call is over. */
  private overdue: Promise<void> | null = null;
  private closed = false;

  /**
   * @param addJobs Adds jobs in one call. Returns their ids, or those of existing jobs in their place.
   * @param isRejected Whether an error says that the server has added none of the jobs.
   */
  constructor(
    private readonly addJobs: (jobs: readonly QueuedJob[]) => Promise<string[]>,
    private readonly timeout: SharedTimeout,
    private readonly isRejected: (error: unknown) => boolean,
  ) {}

  /** @throws {ExecutorNotRunningError} if the queue was closed before the jobs were sent. */
  add(jobs: readonly QueuedJob[]): Promise<string[]> {
    if (this.closed) return Promise.reject(closedBeforeSent());
    if (this.noAnswer !== null) return Promise.reject(notSentAfter(this.noAnswer));
    return new Promise((resolve, reject) => {
      this.waiting.push({ jobs, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  /** Rejects waiting submissions; the call that was sent goes on. */
  close(): void {
    this.closed = true;
    this.rejectWaiting(closedBeforeSent);
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      await this.send(this.nextGroup());
      if (this.overdue !== null) await this.overdue;
    }
    this.running = false;
  }

  private async send(group: readonly Add[]): Promise<void> {
    if (group.length > 1 && sizeOf(group) <= FEW) return this.sendEach(group);
    const call = this.addJobs(group.flatMap(({ jobs }) => jobs));
    try {
      const ids = await this.timeout.limit(call);
      let from = 0;
      for (const { jobs, resolve } of group) resolve(ids.slice(from, (from += jobs.length)));
    } catch (error) {
      // One invalid submission must not reject the others of its group.
      if (group.length > 1 && this.isRejected(error)) return this.sendEach(group);
      for (const { reject } of group) reject(error);
      if (error instanceof NoAnswerError) this.waitUntilOver(call, error);
    }
  }

  private async sendEach(group: readonly Add[]): Promise<void> {
    for (const add of group) {
      if (this.closed) add.reject(closedBeforeSent());
      else if (this.noAnswer !== null) add.reject(notSentAfter(this.noAnswer));
      else await this.send([add]);
    }
  }

  /** The server may still execute a call that has timed out: no later call may overtake it. */
  private waitUntilOver(call: Promise<unknown>, noAnswer: NoAnswerError): void {
    const over = (): void => {
      this.noAnswer = this.overdue = null;
    };
    this.noAnswer = noAnswer;
    this.overdue = call.then(over, over);
    this.rejectWaiting(() => notSentAfter(noAnswer));
  }

  private rejectWaiting(errorOf: () => Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(errorOf());
  }

  private nextGroup(): Add[] {
    let size = 0;
    const end = this.waiting.findIndex((add, index) => (size += add.jobs.length) > MAX_JOBS && index > 0);
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }
}

function notSentAfter({ message }: NoAnswerError): Error {
  return new NotSentError(`earlier submissions have had ${message}`);
}

function sizeOf(group: readonly Add[]): number {
  return group.reduce((sum, { jobs }) => sum + jobs.length, 0);
}
