import { assertSchemaCompatibility, Queue, QueueEvents, runMigrations, Worker } from 'bullmq';
import type { Pool, PoolClient } from 'pg';
import { FlowrraConfigError } from '../../../job/errors.js';
import type { AnyEvents, AnyQueue, BullServer, Refusal } from './bull-server.js';
import { loading } from './import-peer.js';
import { isPool, type ResolvedBullMqOptions } from '../bullmq-options.js';
import type { Kept } from '../job-mapping.js';
import { PostgresJobs } from './postgres-jobs.js';
import type { ServerJobs } from './server-jobs.js';
import { patientPool } from './patient-pool.js';
import { PoolKeeper } from './pool-guard.js';
import { pooledBackend } from './postgres-backend.js';
import { messageOf } from './outage-log.js';

/** Connections for queries. Each worker and each listener holds one more of its own. */
const QUERY_CONNECTIONS = 5;
const FEWEST_QUERY_CONNECTIONS = 2;

/** How long a listener waits at most for a notification before it looks by itself. */
const EVENTS_MS = 250;

/** A query that gets no answer for so long is given up, with its connection. */
const SILENCE_MS = 30_000;

/** SQL states of a server that is starting, stopping, or has no connection left. */
const SERVER_AWAY = /^(08|57P|53300)/;
/** Those of them that it gives only to somebody who connects. */
const NOT_LET_IN = /^(57P03|53300)$/;
const NOT_CONNECTED =
  /trying to connect|Connection terminated due to connection timeout|after calling end on the pool/;
const BROKEN = /Connection terminated|Client has encountered a connection error|Query read timeout/;
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);

/** BullMQ over PostgreSQL. All of an application's queues share one pool. */
export class PostgresServer implements BullServer {
  readonly name = 'PostgreSQL';
  /** They go through a pool. */
  readonly ordered = false;
  /** Workers need connections as well. */
  readonly reads = QUERY_CONNECTIONS - 1;
  readonly countsSlowly = true;
  private readonly backend;
  private readonly keeper;

  private constructor(
    private readonly pool: Pool,
    private readonly options: ResolvedBullMqOptions,
    private readonly queues: number,
  ) {
    this.backend = pooledBackend(pool, options.schema);
    this.keeper = new PoolKeeper(pool, pool !== options.connection);
  }

  /** @param queues How many queues there are: each may hold two connections. */
  static async create(
    options: ResolvedBullMqOptions,
    queues: number,
    trouble: (error: Error) => void,
  ): Promise<PostgresServer> {
    const { connection, schema, submitTimeout } = options;
    if (isPool(connection)) return new PostgresServer(connection as Pool, options, queues);
    const { default: pg } = await loading('pg', () => import('pg'));
    const config = {
      ...withSearchPath(connection as string, schema),
      max: QUERY_CONNECTIONS + 2 * queues,
      query_timeout: SILENCE_MS,
      keepAlive: true,
    };
    // Sooner than a submission is given up, so that what was not sent is known.
    const pool = patientPool(pg, config, Math.ceil(submitTimeout * 0.8));
    pool.on('error', trouble);
    return new PostgresServer(pool, options, queues);
  }

  async connect(): Promise<void> {
    this.checkSize();
    const client = await this.keeper.lend();
    try {
      await this.prepareSchema(client);
      await this.checkSearchPath(client);
    } catch (error) {
      throw this.isOutage(error) ? error : this.unusable(error as Error);
    } finally {
      client.release();
    }
  }

  async ping(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  refusalOf(error: unknown): Refusal {
    const { code, message } = faultOf(error);
    if (CONNECTION_CODES.has(code) || NOT_CONNECTED.test(message) || NOT_LET_IN.test(code)) return 'not sent';
    // Whatever else the server answers with an SQL state, it has rolled back.
    return /^[0-9A-Z]{5}$/.test(code) && !SERVER_AWAY.test(code) ? 'refused' : 'unknown';
  }

  /** Data exceptions, and limits of the program. */
  cannotHold(error: unknown): boolean {
    return /^(22|54)\w{3}$/.test(faultOf(error).code);
  }

  isOutage(error: unknown): boolean {
    const { code, message } = faultOf(error);
    return (
      /^E[A-Z_]+$/.test(code) || SERVER_AWAY.test(code) || NOT_CONNECTED.test(message) || BROKEN.test(message)
    );
  }

  queue(name: string): AnyQueue {
    const { queueOptions } = this.options;
    return new Queue(this.named(name), { ...queueOptions, connection: this.pool }, this.backend);
  }

  worker: BullServer['worker'] = (name, processor, options) =>
    new Worker(this.named(name), processor, { ...options, connection: this.pool }, this.backend);

  events(name: string): AnyEvents {
    return new QueueEvents(
      this.named(name),
      { connection: this.pool, blockingTimeout: EVENTS_MS },
      this.backend,
    );
  }

  jobs(keep: Kept, now: () => number): ServerJobs {
    return new PostgresJobs(this.pool, (queue) => this.named(queue), keep, now);
  }

  async close(): Promise<void> {
    await this.keeper.letGo();
  }

  /** A schema may be shared, and has no prefix of its own. */
  private named(queue: string): string {
    return `${this.options.prefix}.${queue}`;
  }

  /** Workers and listeners keep a connection each: a pool that they use up would stand still for ever. */
  private checkSize(): void {
    const need = 2 * this.queues + FEWEST_QUERY_CONNECTIONS;
    const { max } = this.pool.options;
    if (max >= need) return;
    throw new FlowrraConfigError(
      `bullmq connection: the given pool has at most ${max} connections, and ${this.queues} queues need ${need} or more. Raise its max.`,
    );
  }

  private async prepareSchema(client: PoolClient): Promise<void> {
    const { migrate, schema } = this.options;
    if (migrate) await runMigrations(client, schema);
    else await assertSchemaCompatibility(client, schema);
  }

  private async checkSearchPath(client: PoolClient): Promise<void> {
    const { schema } = this.options;
    const { rows } = await client.query<{ found: boolean }>(
      'SELECT $1 = ANY(current_schemas(false)) AS found',
      [schema],
    );
    if (rows[0]?.found) return;
    throw new FlowrraConfigError(
      `The given pool's search_path does not lead to the schema '${schema}'. Make it with new Pool({ …, options: '-c search_path=${schema}' }).`,
    );
  }

  private unusable(error: Error): Error {
    if (error instanceof FlowrraConfigError) return error;
    const { schema, migrate } = this.options;
    if (error.name === 'SchemaMigrationRequiredError')
      return new FlowrraConfigError(
        `The schema '${schema}' has not been set up. Set migrate: true, or run BullMQ's runMigrations before.`,
        { cause: error },
      );
    const advice =
      faultOf(error).code === '42501'
        ? migrate
          ? `The role may not set up the schema '${schema}': GRANT CREATE ON DATABASE to it, or run BullMQ's runMigrations as another role and set migrate: false.`
          : `Grant the role USAGE and CREATE on the schema '${schema}', and all rights on its tables, sequences and functions.`
        : 'See to the connection, the server or the role.';
    return new FlowrraConfigError(`PostgreSQL cannot be used: ${messageOf(error)}. ${advice}`, {
      cause: error,
    });
  }
}

/** Options within the URL would take the place of those beside it. */
function withSearchPath(url: string, schema: string): { connectionString: string; options: string } {
  const bare = new URL(url);
  const given = bare.searchParams.get('options');
  bare.searchParams.delete('options');
  const searchPath = `-c search_path="${schema}"`;
  if (given === null) return { connectionString: url, options: searchPath };
  return { connectionString: bare.href, options: `${given} ${searchPath}` };
}

function faultOf(error: unknown): { code: string; message: string } {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    message: typeof message === 'string' ? message : String(error),
  };
}
