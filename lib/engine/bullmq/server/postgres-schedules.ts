import type { Pool, PoolClient } from 'pg';
import { EngineError } from '../../../job/errors.js';
import type { ScheduleStore, ScheduleWrite, StoredSchedule } from '../../schedule-store.js';
import * as schedule from './sql/schedule.js';

/** PostgreSQL ends one of two transactions that wait for each other, which has then changed nothing. */
const ROLLED_BACK = new Set(['40P01', '40001']);
const MAX_TRIES = 5;
const UNDEFINED_TABLE = '42P01';

/** pg reads a `bigint` as text. */
interface Row {
  readonly name: string;
  readonly version: string;
  readonly due: string | null;
  readonly body: string;
}

/** Creates the table of schedules unless it exists, which needs fewer rights. */
export async function prepareSchedules(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ found: boolean }>(schedule.EXISTS, [`"${schema}".flowrra_schedule`]);
  if (rows[0]?.found !== true) await client.query(schedule.create(schema));
}

/** Schedules on PostgreSQL, in a table of Flowrra's own beside those of BullMQ. */
export class PostgresSchedules implements ScheduleStore {
  /** @param prefix Separates applications that share a schema. */
  constructor(
    private readonly pool: Pool,
    private readonly prefix: string,
    private readonly schema: string,
  ) {}

  async earliest(limit: number): Promise<StoredSchedule[]> {
    return (await this.ask<Row>(schedule.EARLIEST, [limit])).map(scheduleOf);
  }

  async get(names: readonly string[]): Promise<StoredSchedule[]> {
    return (await this.ask<Row>(schedule.GET, [names])).map(scheduleOf);
  }

  async page(after: string, limit: number): Promise<StoredSchedule[]> {
    return (await this.ask<Row>(schedule.PAGE, [after, limit])).map(scheduleOf);
  }

  async put(writes: readonly ScheduleWrite[]): Promise<boolean[]> {
    const columns = [
      writes.map(({ name }) => name),
      writes.map(({ expected }) => expected),
      writes.map(({ due }) => due),
      writes.map(({ body }) => body),
    ];
    const made = await this.ask<{ n: string }>(schedule.PUT, columns);
    const numbers = new Set(made.map(({ n }) => Number(n)));
    return writes.map((_, index) => numbers.has(index + 1));
  }

  async remove(name: string): Promise<boolean> {
    return (await this.ask(schedule.REMOVE, [name])).length > 0;
  }

  /** @throws {EngineError} if the table does not exist. */
  private async ask<R extends object>(statement: string, values: readonly unknown[]): Promise<R[]> {
    for (let tries = 1; ; tries++) {
      try {
        return (await this.pool.query<R>(statement, [this.prefix, ...values])).rows;
      } catch (error) {
        const { code } = error as { readonly code?: string };
        if (code === UNDEFINED_TABLE) throw this.withoutTable(error);
        if (code === undefined || !ROLLED_BACK.has(code) || tries === MAX_TRIES) throw error;
      }
    }
  }

  private withoutTable(cause: unknown): EngineError {
    return new EngineError(
      `The schema '${this.schema}' has no table flowrra_schedule, which keeps the schedules. Start the application once with migrate: true, as a role that may create it.`,
      { cause },
    );
  }
}

function scheduleOf({ name, version, due, body }: Row): StoredSchedule {
  return { name, version: Number(version), due: due === null ? null : Number(due), body };
}
