import type { Pool } from 'pg';
import { FlowrraConfigError } from '../../../job/errors.js';
import type { SqlConnection, SqlRow } from '../../sql-connection.js';
import type { JobRecord, TransactionalAdds } from './bull-server.js';
import * as add from './sql/add.js';

/** Up to this many jobs, a call for each is faster than `add_jobs_bulk`, which creates temporary tables. */
const FEW = 20;

/** How many jobs one statement adds at most, and how many characters of their data. */
const MAX_JOBS = 1_000;
const MAX_CHARACTERS = 10_000_000;

/** Additions to BullMQ's tables on connections of the application. */
export class PostgresTransactions implements TransactionalAdds {
  private readonly sql: Readonly<Record<'identity' | 'addOne' | 'addEach' | 'addBulk', string>>;
  private readonly bulkQueues = new Set<string>();
  private database: Promise<string> | null = null;

  /** @param pool The engine's own. */
  constructor(
    private readonly pool: Pool,
    private readonly schema: string,
  ) {
    this.sql = {
      identity: add.identity(schema),
      addOne: add.addOne(schema),
      addEach: add.addEach(schema),
      addBulk: add.addBulk(schema),
    };
  }

  async isSameDatabase(connection: SqlConnection): Promise<boolean> {
    const { identity } = this.sql;
    const [[there], { rows }] = await Promise.all([connection.run(identity, []), this.pool.query(identity)]);
    const here = rows[0] as SqlRow;
    if (there?.database !== here.database || there?.started !== here.started) return false;
    if (there?.usable !== 'false') return there?.usable === 'true';
    throw new FlowrraConfigError(
      `outbox: the role of the database may not use the schema '${this.schema}' of the engine. GRANT USAGE ON SCHEMA "${this.schema}" to it, and all rights on its tables and sequences.`,
    );
  }

  async add(connection: SqlConnection, records: readonly JobRecord[]): Promise<void> {
    const database = await this.databaseName();
    for (const batch of batchesOf(records)) {
      const added = await this.addBatch(connection, batch, database);
      if (added.length < batch.length) throw this.elsewhere();
    }
  }

  private async addBatch(
    connection: SqlConnection,
    batch: readonly JobRecord[],
    database: string,
  ): Promise<readonly SqlRow[]> {
    const [first] = batch as readonly [JobRecord];
    const { addOne, addEach, addBulk } = this.sql;
    if (batch.length === 1) return this.run(connection, addOne, [...valuesOf(first), database]);
    const values = [JSON.stringify(batch), database];
    const isBulk = batch.length > FEW && (await this.canAddBulk(first.queue));
    return isBulk
      ? this.run(connection, addBulk, [...values, first.queue])
      : this.run(connection, addEach, values);
  }

  private async run(
    connection: SqlConnection,
    sql: string,
    values: readonly string[],
  ): Promise<readonly SqlRow[]> {
    try {
      return await connection.run(sql, values);
    } catch (cause) {
      if (isMissing(cause, this.schema)) throw this.elsewhere(cause);
      throw cause;
    }
  }

  /** `false` as long as the engine's role may not create the sequence. */
  private async canAddBulk(queue: string): Promise<boolean> {
    if (this.bulkQueues.has(queue)) return true;
    try {
      await this.pool.query(add.PREPARE_BULK, [queue]);
    } catch {
      return false;
    }
    this.bulkQueues.add(queue);
    return true;
  }

  private databaseName(): Promise<string> {
    this.database ??= this.pool.query<{ name: string }>(add.DATABASE).then(
      ({ rows }) => rows[0]?.name as string,
      (error: unknown) => {
        this.database = null;
        throw error;
      },
    );
    return this.database;
  }

  private elsewhere(cause?: unknown): FlowrraConfigError {
    return new FlowrraConfigError(
      `This transaction is in a database without the jobs of the engine, whose schema is '${this.schema}'. With outbox({ direct: true }), give a transaction of the engine's database.`,
      { cause },
    );
  }
}

function valuesOf(record: JobRecord): readonly string[] {
  const { queue, id, name, data, opts, priority, delay, timestamp, attempts, lifo } = record;
  return [
    queue,
    id,
    name,
    data,
    JSON.stringify(opts),
    ...[priority, delay, timestamp, attempts, lifo].map(String),
  ];
}

function* batchesOf(records: readonly JobRecord[]): Iterable<readonly JobRecord[]> {
  let batch: JobRecord[] = [];
  let characters = 0;
  for (const record of records) {
    characters += record.data.length;
    if (batch.length === MAX_JOBS || (batch.length > 0 && characters > MAX_CHARACTERS)) {
      yield batch;
      batch = [];
      characters = record.data.length;
    }
    batch.push(record);
  }
  if (batch.length > 0) yield batch;
}

/** The drivers and libraries have no common place for the SQL state. */
function isMissing(error: unknown, schema: string): boolean {
  const text = error instanceof Error ? error.message : '';
  return (
    text.includes(`schema "${schema}" does not exist`) || /function .*add_job.* does not exist/.test(text)
  );
}
