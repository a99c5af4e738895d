import type { Redis } from 'ioredis';
import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../../schedule-store.js';
import { EARLIEST, PAGE, PUT, REMOVE } from './lua/schedules.js';
import { defineScripts } from './redis-scripts.js';

/** A version, a due time, and a body. */
const VALUE = /^(\d+) (-?\d*) /;

/** Schedules on Redis, in keys of their own beside those of BullMQ's queues. */
export class RedisSchedules implements ScheduleStore {
  /** No key of a queue: those have a third part. */
  private readonly key: string;
  private readonly script;

  constructor(
    private readonly client: Redis,
    prefix: string,
  ) {
    this.key = `${prefix}:schedules`;
    this.script = defineScripts(client, {
      earliest: EARLIEST,
      page: PAGE,
      put: PUT,
      remove: REMOVE,
    });
  }

  async earliest(limit: number): Promise<StoredSchedule[]> {
    return schedulesOf(await this.script.earliest(this.key, limit));
  }

  async get(names: readonly string[]): Promise<StoredSchedule[]> {
    if (names.length === 0) return [];
    const values = await this.client.hmget(this.key, ...names);
    return schedulesOf(names.flatMap((name, n) => [name, values[n] ?? null]));
  }

  async page(after: string, limit: number): Promise<StoredSchedule[]> {
    return schedulesOf(await this.script.page(this.key, after, limit));
  }

  async put(writes: readonly ScheduleWrite[]): Promise<boolean[]> {
    if (writes.length === 0) return [];
    const given = writes.flatMap(({ name, expected, due, body }) => {
      const dueText = due ?? '';
      return [name, expected, dueText, `${expected + 1} ${dueText} ${body}`];
    });
    return ((await this.script.put(this.key, ...given)) as number[]).map((written) => written === 1);
  }

  async remove(name: string): Promise<boolean> {
    return (await this.script.remove(this.key, name)) === 1;
  }
}

/** @param answer Names and values in turn. A value that another program has written counts as not stored. */
function schedulesOf(answer: unknown): StoredSchedule[] {
  const parts = answer as readonly (string | null)[];
  const found: StoredSchedule[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const [name, value] = [parts[at] as string, parts[at + 1] ?? ''];
    const [head, version, due] = VALUE.exec(value) ?? [];
    if (head === undefined) continue;
    found.push({
      name,
      version: Number(version),
      due: due === '' ? null : Number(due),
      body: value.slice(head.length),
    });
  }
  return found;
}
