import type { Redis } from 'ioredis';
import { MAX_LOG_LINES } from '../../../job/job.js';
import { type BullJob, CANCELLED, type Kept } from '../job-mapping.js';
import { isMalformed, type JobHash, noJob, repairsOf, salvaged } from '../malformed-job.js';
import * as scripts from './redis-scripts.js';
import type { Cancelled, Debounced, JobList, JobPlace, ServerJobs } from './server-jobs.js';

/** Until it counts as having failed, after it has been noted that it is about to. */
const SETTLING_MS = 60_000;

/** The most jobs that one call may drop: it holds up the server. */
const MOST_DROPPED = 500;
/** The most active jobs that one call checks for unreadable ones. */
const MOST_REPAIRED = 1_000;

/** BullMQ's scores of delayed jobs are times, shifted to leave room for an order. */
const SCORE_PER_MS = 4_096;

type Script = (...args: readonly (string | number)[]) => Promise<unknown>;

/** {@link ServerJobs} by scripts of our own over BullMQ's keys. */
export class RedisJobs implements ServerJobs {
  private readonly script: Readonly<Record<keyof typeof scripts, Script>>;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
    private readonly keep: Kept,
    private readonly now: () => number,
  ) {
    const entries = Object.entries(scripts).map(([name, lua]) => [name, defined(client, name, lua)] as const);
    this.script = Object.fromEntries(entries) as Record<keyof typeof scripts, Script>;
  }

  async cancel({ queue, taskId }: JobPlace, text: string): Promise<Cancelled> {
    const { age, count } = this.keep;
    const now = this.now();
    const kept = [age * 1_000, count, now - SETTLING_MS] as const;
    const answer = await this.script.CANCEL(this.base(queue), taskId, text, now, ...kept);
    const [kind, words = null] = answer as [Cancelled['kind'], string?];
    return { kind, text: words };
  }

  requested(places: readonly JobPlace[]): Promise<(string | null)[]> {
    return Promise.all(
      places.map(({ queue, taskId }) => this.client.hget(`${this.base(queue)}${taskId}`, 'defa')),
    );
  }

  async noteCancelled({ queue, taskId }: JobPlace): Promise<void> {
    const now = this.now();
    await this.script.NOTE_CANCELLED(this.base(queue), taskId, now, now - SETTLING_MS);
  }

  async cancelledCount(queue: string): Promise<number> {
    return (await this.script.COUNT_CANCELLED(this.base(queue), '', this.now() - SETTLING_MS)) as number;
  }

  async report(
    { queue, taskId }: JobPlace,
    token: string,
    progress: string | null,
    rows: readonly string[],
  ): Promise<void> {
    await this.script.REPORT(this.base(queue), taskId, token, progress ?? '', MAX_LOG_LINES, ...rows);
  }

  async countStart({ queue, taskId }: JobPlace, token: string): Promise<number> {
    return (await this.script.COUNT_START(this.base(queue), taskId, token)) as number;
  }

  async remove({ queue, taskId }: JobPlace): Promise<boolean> {
    return (await this.script.REMOVE(this.base(queue), taskId)) === 1;
  }

  async dropFinished(queue: string, taskIds: readonly string[], until: number): Promise<void> {
    for (let from = 0; from < taskIds.length; from += MOST_DROPPED) {
      const some = taskIds.slice(from, from + MOST_DROPPED);
      await this.script.DROP_FINISHED(this.base(queue), '', until, ...some);
    }
  }

  async retry({ queue, taskId }: JobPlace): Promise<boolean> {
    return (await this.script.RETRY(this.base(queue), taskId, CANCELLED)) === 1;
  }

  async debounce(queue: string, key: string, { data, delay }: Debounced): Promise<string | null> {
    return (await this.script.DEBOUNCE(this.base(queue), key, data, delay, this.now())) as string | null;
  }

  async salvage({ queue, taskId }: JobPlace): Promise<BullJob | null> {
    const hash = await this.hash(queue, taskId);
    if (hash === null) return noJob(taskId);
    return Object.keys(hash).length === 0 ? null : salvaged(taskId, hash);
  }

  async repair(queue: string, runs: (taskId: string) => boolean): Promise<number> {
    const active = await this.list(queue, 'active', 0, MOST_REPAIRED);
    let repaired = 0;
    for (const taskId of active.filter((id) => !runs(id)))
      if (await this.repaired({ queue, taskId }, 'requeue')) repaired++;
    return repaired;
  }

  async repairOne(place: JobPlace): Promise<void> {
    await this.repaired(place, 'stay');
  }

  async list(queue: string, list: JobList, offset: number, count: number): Promise<string[]> {
    const { client } = this;
    const base = this.base(queue);
    const last = offset + count - 1;
    switch (list) {
      case 'active':
      case 'waiting': {
        // The next one is the last.
        const key = `${base}${list === 'active' ? 'active' : 'wait'}`;
        return (await client.lrange(key, -last - 1, -offset - 1)).reverse();
      }
      case 'prioritized':
      case 'delayed':
        return client.zrange(`${base}${list}`, `${offset}`, `${last}`);
      case 'failed':
      case 'completed':
        return client.zrevrange(`${base}${list}`, offset, last);
    }
  }

  async dueTimes(places: readonly JobPlace[]): Promise<(number | null)[]> {
    const scores = places.map(({ queue, taskId }) =>
      this.client.zscore(`${this.base(queue)}delayed`, taskId),
    );
    return (await Promise.all(scores)).map((score) =>
      score === null ? null : Math.floor(Number(score) / SCORE_PER_MS),
    );
  }

  private async repaired({ queue, taskId }: JobPlace, then: 'requeue' | 'stay'): Promise<boolean> {
    const repairs = repairsOf((await this.hash(queue, taskId)) ?? {});
    if (repairs.length === 0) return false;
    const changes = repairs.flatMap(({ field, from, to }) => [field, from, to]);
    return (await this.script.REPAIR(this.base(queue), taskId, then, ...changes)) === 1;
  }

  /** `null` for what is none. */
  private async hash(queue: string, taskId: string): Promise<JobHash | null> {
    try {
      return await this.client.hgetall(`${this.base(queue)}${taskId}`);
    } catch (error) {
      if (isMalformed(error)) return null;
      throw error;
    }
  }

  private base(queue: string): string {
    return `${this.prefix}:${queue}:`;
  }
}

/** A script as a command of this client, which the server is sent once. */
function defined(client: Redis, name: string, lua: string): Script {
  const command = `flowrra_${name.toLowerCase()}`;
  client.defineCommand(command, { numberOfKeys: 0, lua });
  const call = (client as unknown as Readonly<Record<string, Script>>)[command] as Script;
  return call.bind(client);
}
