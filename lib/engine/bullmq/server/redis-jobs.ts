import type { Redis } from 'ioredis';
import { MAX_LOG_LINES } from '../../../job/job.js';
import { type BullJob, CANCELLED, type KeepRule } from '../job-mapping.js';
import { isMalformed, type JobHash, notAJob, repairsOf, salvaged } from '../malformed-job.js';
import type {
  BulkAnswer,
  BulkCall,
  BulkChange,
  BulkSource,
  CancelAnswer,
  Debounced,
  JobList,
  JobPlace,
  ServerJobs,
} from './bull-server.js';
import { BULK } from './lua/bulk.js';
import { CANCEL, COUNT_CANCELLED, NOTE_CANCELLED } from './lua/cancel.js';
import { DROP_FINISHED, REMOVE, RETRY } from './lua/finished.js';
import type { Delayed } from './job-journals.js';
import { RedisJournals } from './redis-journals.js';
import { defineScripts } from './redis-scripts.js';
import { RedisTags } from './redis-tags.js';
import { COUNT_START, DEBOUNCE, REPAIR, REPORT } from './lua/unfinished.js';

/** A job that was noted as cancelled longer ago has failed by now. */
const SETTLED_MS = 60_000;

/** A script blocks the server: the most jobs that one call drops. */
const MAX_DROPPED = 500;
/** The most jobs that one step of an operation on many jobs reads, and the time after which it reads no more. */
const MAX_BULK = 1_000;
const BULK_SECONDS = 0.008;
/** The most active jobs that one repair checks. */
const MAX_REPAIRED = 1_000;

const CHANGE_VALUES = 5;

const SCRIPTS = {
  cancel: CANCEL,
  noteCancelled: NOTE_CANCELLED,
  countCancelled: COUNT_CANCELLED,
  report: REPORT,
  countStart: COUNT_START,
  remove: REMOVE,
  dropFinished: DROP_FINISHED,
  retry: RETRY,
  bulk: BULK,
  debounce: DEBOUNCE,
  repair: REPAIR,
};

/** {@link ServerJobs} as Lua scripts on BullMQ's keys. */
export class RedisJobs implements ServerJobs {
  readonly tags: RedisTags;
  readonly journals: RedisJournals;
  private readonly script;

  constructor(
    private readonly client: Redis,
    private readonly prefix: string,
    private readonly keep: KeepRule,
    private readonly now: () => number,
  ) {
    this.script = defineScripts(client, SCRIPTS);
    this.tags = new RedisTags(client, prefix, now);
    this.journals = new RedisJournals(client, prefix, now);
  }

  async cancel({ queue, taskId }: JobPlace, text: string): Promise<CancelAnswer> {
    const { age, count } = this.keep;
    const now = this.now();
    const kept = [age * 1_000, count, now - SETTLED_MS] as const;
    const answer = await this.script.cancel(this.base(queue), taskId, text, now, ...kept);
    const [kind, first] = answer as [CancelAnswer['kind'], string?];
    return { kind, text: first || null };
  }

  async cancelTexts(places: readonly JobPlace[]): Promise<(string | null)[]> {
    const answers = places.map(({ queue, taskId, isJournalled = false }) =>
      this.client.hmget(`${this.base(queue)}${taskId}`, 'defa', ...(isJournalled ? ['flowrra:cancel'] : [])),
    );
    return (await Promise.all(answers)).map(([deferred, told]) => deferred ?? told ?? null);
  }

  async noteCancelled({ queue, taskId }: JobPlace): Promise<void> {
    const now = this.now();
    await this.script.noteCancelled(this.base(queue), taskId, now, now - SETTLED_MS);
  }

  async cancelledCount(queue: string): Promise<number> {
    return (await this.script.countCancelled(this.base(queue), '', this.now() - SETTLED_MS)) as number;
  }

  async report(
    { queue, taskId }: JobPlace,
    token: string,
    progress: string | null,
    rows: readonly string[],
  ): Promise<void> {
    await this.script.report(this.base(queue), taskId, token, progress ?? '', MAX_LOG_LINES, ...rows);
  }

  async countStart({ queue, taskId }: JobPlace, token: string): Promise<number> {
    return (await this.script.countStart(this.base(queue), taskId, token)) as number;
  }

  async remove({ queue, taskId }: JobPlace): Promise<boolean> {
    return (await this.script.remove(this.base(queue), taskId)) === 1;
  }

  async dropFinished(queue: string, taskIds: readonly string[], until: number): Promise<void> {
    for (let from = 0; from < taskIds.length; from += MAX_DROPPED) {
      const some = taskIds.slice(from, from + MAX_DROPPED);
      await this.script.dropFinished(this.base(queue), '', until, ...some);
    }
  }

  async submissions(queue: string, taskIds: readonly string[]): Promise<(string | null)[]> {
    const base = this.base(queue);
    const options = await Promise.all(taskIds.map((taskId) => this.client.hget(`${base}${taskId}`, 'opts')));
    return options.map((text) => text && submissionOf(text));
  }

  async retry({ queue, taskId }: JobPlace): Promise<boolean> {
    return (await this.script.retry(this.base(queue), taskId, CANCELLED)) === 1;
  }

  async bulk(
    queue: string,
    source: BulkSource,
    { kind, conditions, dryRun, expired, text }: BulkCall,
    position: string | null,
  ): Promise<BulkAnswer> {
    const now = this.now();
    const given = {
      ...conditions,
      status: Object.fromEntries(conditions.status.map((status) => [status, true])),
      kind,
      dryRun,
      text,
      now,
      cancelled: CANCELLED,
      expired: Math.max(expired, Number.MIN_SAFE_INTEGER),
      age: this.keep.age * 1e3,
      keep: this.keep.count,
      settled: now - SETTLED_MS,
      most: MAX_BULK,
      seconds: BULK_SECONDS,
    };
    const list = source === 'waiting' ? 'wait' : source;
    const answer = await this.script.bulk(
      this.base(queue),
      '',
      JSON.stringify(given),
      list,
      position ?? '{}',
    );
    const [isLast, next, count, ...values] = answer as [number, string, number, ...(string | number)[]];
    return { position: isLast === 1 ? null : next, count, changes: changesIn(values) };
  }

  async debounce(queue: string, key: string, { data, delay, tags }: Debounced): Promise<string | null> {
    const given = [data, delay, this.now(), ...tags] as const;
    return (await this.script.debounce(this.base(queue), key, ...given)) as string | null;
  }

  async salvage({ queue, taskId }: JobPlace): Promise<BullJob | null> {
    const hash = await this.hash(queue, taskId);
    if (hash === null) return notAJob(taskId);
    return Object.keys(hash).length === 0 ? null : salvaged(taskId, hash);
  }

  async repair(queue: string, runsHere: (taskId: string) => boolean): Promise<number> {
    const active = await this.list(queue, 'active', 0, MAX_REPAIRED);
    let repaired = 0;
    for (const taskId of active.filter((id) => !runsHere(id)))
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
        // The next job is the last element.
        const key = `${base}${list === 'active' ? 'active' : 'wait'}`;
        return (await client.lrange(key, -last - 1, -offset - 1)).reverse();
      }
      case 'prioritized':
      case 'delayed':
        return client.zrange(`${base}${list}`, `${offset}`, `${last}`);
      case 'suspended':
        return this.journals.list(queue, offset, count);
      case 'failed':
      case 'completed':
        return client.zrevrange(`${base}${list}`, offset, last);
    }
  }

  delays(places: readonly JobPlace[]): Promise<Delayed[]> {
    return this.journals.delays(places);
  }

  private async repaired({ queue, taskId }: JobPlace, then: 'requeue' | 'stay'): Promise<boolean> {
    const repairs = repairsOf((await this.hash(queue, taskId)) ?? {});
    if (repairs.length === 0) return false;
    const changes = repairs.flatMap(({ field, from, to }) => [field, from, to]);
    return (await this.script.repair(this.base(queue), taskId, then, ...changes)) === 1;
  }

  /** `null` if the key holds no hash. */
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

function changesIn(values: readonly (string | number)[]): BulkChange[] {
  return Array.from({ length: values.length / CHANGE_VALUES }, (_, n) => {
    const [taskId, kind, taskName, retries, text] = values.slice(n * CHANGE_VALUES, (n + 1) * CHANGE_VALUES);
    return { taskId, kind, taskName, retries, text } as BulkChange;
  });
}

/** Of the options of a job, as JSON. */
function submissionOf(options: string): string {
  try {
    const submission: unknown = Reflect.get(JSON.parse(options) as object, 'submission');
    return typeof submission === 'string' ? submission : '';
  } catch {
    // Another program has written the job.
    return '';
  }
}
