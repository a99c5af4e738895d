import { EngineError } from '../../../job/errors.js';
import type { MaybePromise } from '../../../job/async.js';
import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../../schedule-store.js';
import type { BullMqParts } from '../bullmq-parts.js';
import { isOutage } from '../server/outage-log.js';

/**
 * Schedules on the server, with the limits, the timeout and the errors of all queries. A write that has been
 * sent and has no answer rejects too, although the server may have made it: the version then tells.
 */
export class BullMqSchedules implements ScheduleStore {
  private readonly stored: ScheduleStore;

  constructor(private readonly parts: Pick<BullMqParts, 'server' | 'reads' | 'outages'>) {
    this.stored = parts.server.schedules();
  }

  earliest(limit: number): Promise<readonly StoredSchedule[]> {
    return this.ask(() => this.stored.earliest(limit));
  }

  get(names: readonly string[]): Promise<readonly StoredSchedule[]> {
    return this.ask(() => this.stored.get(names));
  }

  page(after: string, limit: number): Promise<readonly StoredSchedule[]> {
    return this.ask(() => this.stored.page(after, limit));
  }

  put(writes: readonly ScheduleWrite[]): Promise<readonly boolean[]> {
    return this.ask(() => this.stored.put(writes));
  }

  remove(name: string): Promise<boolean> {
    return this.ask(() => this.stored.remove(name));
  }

  /** @throws {EngineError} if the server does not answer, {@link ExecutorNotRunningError} after the end. */
  private async ask<T>(call: () => MaybePromise<T>): Promise<T> {
    const { server, reads, outages } = this.parts;
    try {
      return await reads.run(async () => call());
    } catch (error) {
      if (error instanceof EngineError && isOutage(server, error.cause)) outages.report(error);
      throw error;
    }
  }
}
