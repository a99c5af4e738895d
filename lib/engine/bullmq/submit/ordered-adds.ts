import { type Patience, SilenceError } from '../server/io-time.js';
import type { QueuedJob } from '../queued-job.js';
import { NotSentError, stoppedUnsent } from '../server/call-limiter.js';

/** The most jobs of one call. */
const MAX_AT_ONCE = 500;

/** PostgreSQL takes so many jobs one by one in the time of a call for many, which makes tables of its own. */
const FEW = 10;

interface Add {
  readonly jobs: readonly QueuedJob[];
  /** @param ids Of those that stand for the jobs. */
  done(ids: string[]): void;
  refuse(error: unknown): void;
}

/**
 * Adds jobs to one queue in the order in which they were submitted. A pool's connections overtake
 * each other; so there is one call at a time, and what is submitted meanwhile shares the next. A call's
 * time counts from when it is sent; when it is over, what waits is refused, until there is an answer.
 */
export class OrderedAdds {
  private waiting: Add[] = [];
  private busy = false;
  /** Why nothing can be sent at the moment. */
  private silence: SilenceError | null = null;
  /** Ends with the call that had no answer in time. */
  private overdue: Promise<void> | null = null;
  private closed = false;

  /**
   * @param addJobs Adds jobs in one call, and returns the ids of those that stand for them.
   * @param patience How long the answer to a call is waited for.
   * @param isRefused Whether an error says that the server has taken nothing.
   */
  constructor(
    private readonly addJobs: (jobs: readonly QueuedJob[]) => Promise<string[]>,
    private readonly patience: Patience,
    private readonly isRefused: (error: unknown) => boolean,
  ) {}

  /** @throws {ExecutorNotRunningError} if it was closed before the jobs were sent. */
  add(jobs: readonly QueuedJob[]): Promise<string[]> {
    if (this.closed) return Promise.reject(stoppedUnsent());
    if (this.silence !== null) return Promise.reject(unsentAfter(this.silence));
    return new Promise((done, refuse) => {
      this.waiting.push({ jobs, done, refuse });
      if (!this.busy) void this.run();
    });
  }

  /** Sends no more; the call that is under way goes on. */
  close(): void {
    this.closed = true;
    this.refuseWaiting(stoppedUnsent);
  }

  private async run(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      await this.send(this.take());
      if (this.overdue !== null) await this.overdue;
    }
    this.busy = false;
  }

  private async send(group: readonly Add[]): Promise<void> {
    if (group.length > 1 && sizeOf(group) <= FEW) return this.sendEach(group);
    const call = this.addJobs(group.flatMap(({ jobs }) => jobs));
    try {
      const ids = await this.patience.with(call);
      let from = 0;
      for (const { jobs, done } of group) done(ids.slice(from, (from += jobs.length)));
    } catch (error) {
      // One of them is at fault, and the others should not suffer for it.
      if (group.length > 1 && this.isRefused(error)) return this.sendEach(group);
      for (const { refuse } of group) refuse(error);
      if (error instanceof SilenceError) this.waitFor(call, error);
    }
  }

  private async sendEach(group: readonly Add[]): Promise<void> {
    for (const add of group) {
      if (this.closed) add.refuse(stoppedUnsent());
      else if (this.silence !== null) add.refuse(unsentAfter(this.silence));
      else await this.send([add]);
    }
  }

  /** A call that has had no answer in time may still be carried out: no other one may overtake it. */
  private waitFor(call: Promise<unknown>, silence: SilenceError): void {
    const over = (): void => {
      this.silence = this.overdue = null;
    };
    this.silence = silence;
    this.overdue = call.then(over, over);
    this.refuseWaiting(() => unsentAfter(silence));
  }

  private refuseWaiting(reason: () => Error): void {
    for (const { refuse } of this.waiting.splice(0)) refuse(reason());
  }

  private take(): Add[] {
    let size = 0;
    const end = this.waiting.findIndex((add, index) => (size += add.jobs.length) > MAX_AT_ONCE && index > 0);
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }
}

function unsentAfter({ message }: SilenceError): Error {
  return new NotSentError(`earlier submissions have had ${message}`);
}

function sizeOf(group: readonly Add[]): number {
  return group.reduce((sum, { jobs }) => sum + jobs.length, 0);
}
