import type { Pool, PoolClient } from 'pg';
import { FlowrraConfigError } from '../../../job/errors.js';
import type { TagEntry, TagPosition, TaggedJobs } from './bull-server.js';
import * as jobTag from './sql/job-tag.js';

const UNDEFINED_TABLE = '42P01';

/** After all times and ids. */
const FIRST: TagPosition = { at: Number.MAX_SAFE_INTEGER, taskId: '' };

/** Creates the table of tags and its triggers unless it exists, which needs fewer rights. */
export async function prepareTags(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ found: boolean }>(jobTag.EXISTS, [`"${schema}".flowrra_job_tag`]);
  if (rows[0]?.found !== true) await client.query(jobTag.create(schema));
}

/** The tags of jobs on PostgreSQL, in a table of Flowrra's own that triggers keep up to date. */
export class PostgresTags implements TaggedJobs {
  /** @param named Returns the queue's name in BullMQ. */
  constructor(
    private readonly pool: Pool,
    private readonly named: (queue: string) => string,
  ) {}

  /** Nothing to do: a trigger enters the tags with the job. */
  note(): null {
    return null;
  }

  async list(queue: string, tag: string, before: TagPosition | null, count: number): Promise<TagEntry[]> {
    const { at, taskId } = before ?? FIRST;
    try {
      const { rows } = await this.pool.query<{ id: string; at: string }>(jobTag.PAGE, [
        this.named(queue),
        tag,
        at,
        taskId,
        count,
      ]);
      return rows.map((row) => ({ taskId: row.id, at: Number(row.at) }));
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== UNDEFINED_TABLE) throw cause;
      throw new FlowrraConfigError(
        'The schema has no table of tags, so jobs cannot be found by a tag. Start one process with migrate: true, by a role that owns the tables of BullMQ.',
        { cause },
      );
    }
  }

  /** Triggers delete the tags with the job. */
  async forget(): Promise<void> {}

  async sweep(): Promise<void> {}
}
