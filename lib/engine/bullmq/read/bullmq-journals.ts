import { EngineError } from '../../../job/errors.js';
import type { Attempt } from '../../../job/job.js';
import { EMPTY_JOURNAL, type Journal, type JournalEntry } from '../../../job/journal/journal.js';
import type { JournalStore, PostAnswer } from '../../journal-store.js';
import type { BullMqParts } from '../bullmq-parts.js';
import type { JobPlace } from '../server/bull-server.js';
import { isOutage } from '../server/outage-log.js';

/**
 * Journals on the server, with the limits, the timeout and the errors of all queries. A write that has been sent and
 * has no answer rejects too, although the server may have made it: the same write again changes nothing.
 */
export class BullMqJournals implements JournalStore {
  /** BullMQ stores the errors of an attempt before its outcome. */
  readonly forgetsEnding = true;

  constructor(
    private readonly parts: Pick<BullMqParts, 'server' | 'jobs' | 'queues' | 'reads' | 'runs' | 'outages'>,
  ) {}

  async read(taskId: string): Promise<Journal> {
    const { jobs } = this.parts;
    for (const place of this.placesOf(taskId)) {
      const journal = await this.ask(() => jobs.journals.read(place));
      if (journal !== null) return journal;
    }
    return EMPTY_JOURNAL;
  }

  async append(attempt: Attempt, entries: readonly JournalEntry[]): Promise<boolean> {
    const { jobs, runs } = this.parts;
    const run = runs.of(attempt);
    const token = run?.job.token;
    if (run === undefined || token === undefined || run.run.isLost) return false;
    run.attempt.isJournalled = true;
    return this.ask(() => jobs.journals.append(run.attempt, token, entries));
  }

  async post(taskId: string, entry: JournalEntry): Promise<PostAnswer> {
    const { jobs, queues } = this.parts;
    for (const place of this.placesOf(taskId)) {
      const answer = await this.ask(() => jobs.journals.post(place, entry, queues.droppedUntil));
      if (answer !== 'unknown') return answer;
    }
    return 'unknown';
  }

  async forget(taskId: string, keys: readonly string[], mark: JournalEntry): Promise<boolean> {
    const { jobs } = this.parts;
    for (const place of this.placesOf(taskId))
      if (await this.ask(() => jobs.journals.forget(place, keys, mark))) return true;
    return false;
  }

  /** The most likely queue of the job first. */
  private placesOf(taskId: string): JobPlace[] {
    const { queues, runs } = this.parts;
    const all = queues.queuesOf(taskId);
    const here = all.find((queue) => runs.at(queue, taskId) !== undefined);
    const sorted = here === undefined ? all : [here, ...all.filter((queue) => queue !== here)];
    return sorted.map((queue) => ({ queue, taskId }));
  }

  /** @throws {EngineError} if the server does not answer, {@link ExecutorNotRunningError} after the end. */
  private async ask<T>(call: () => Promise<T>): Promise<T> {
    const { server, reads, outages } = this.parts;
    try {
      return await reads.run(call);
    } catch (error) {
      if (error instanceof EngineError && isOutage(server, error.cause)) outages.report(error);
      throw error;
    }
  }
}
