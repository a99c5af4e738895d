import type { Patience } from './io-time.js';
import type { QueuedJob } from './queued-job.js';
import { NotSentError } from './sluice.js';

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
 * each other; so there is one call at a time, and what is submitted meanwhile shares the next.
 */
export class OrderedAdds {
  private waiting: Add[] = [];
  private busy = false;

  /**
   * @param addJobs Adds jobs in one call, and returns the ids of those that stand for them.
   * @param patience How long an addition is waited for.
   * @param isRefused Whether an error says that the server has taken nothing.
   */
  constructor(
    private readonly addJobs: (jobs: readonly QueuedJob[]) => Promise<string[]>,
    private readonly patience: Patience,
    private readonly isRefused: (error: unknown) => boolean,
  ) {}

  add(jobs: readonly QueuedJob[]): Promise<string[]> {
    let add!: Add;
    const answer = new Promise<string[]>((done, refuse) => (add = { jobs, done, refuse }));
    this.waiting.push(add);
    if (!this.busy) void this.run();
    return this.patience.with(answer, () => this.late(add));
  }

  private async run(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) await this.send(this.take());
    this.busy = false;
  }

  private async send(group: readonly Add[]): Promise<void> {
    if (group.length > 1 && sizeOf(group) <= FEW) return this.sendEach(group);
    try {
      const ids = await this.addJobs(group.flatMap(({ jobs }) => jobs));
      let from = 0;
      for (const { jobs, done } of group) done(ids.slice(from, (from += jobs.length)));
    } catch (error) {
      // One of them is at fault, and the others should not suffer for it.
      if (group.length > 1 && this.isRefused(error)) return this.sendEach(group);
      for (const { refuse } of group) refuse(error);
    }
  }

  private async sendEach(group: readonly Add[]): Promise<void> {
    for (const add of group) await this.send([add]);
  }

  /** What still waits here when its time is over must not be sent any more. */
  private late(add: Add): Error {
    const index = this.waiting.indexOf(add);
    if (index < 0) return this.patience.silence();
    this.waiting.splice(index, 1);
    return new NotSentError(`earlier submissions have had ${this.patience.silence().message}`);
  }

  private take(): Add[] {
    let size = 0;
    const end = this.waiting.findIndex((add, index) => (size += add.jobs.length) > MAX_AT_ONCE && index > 0);
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }
}

function sizeOf(group: readonly Add[]): number {
  return group.reduce((sum, { jobs }) => sum + jobs.length, 0);
}
