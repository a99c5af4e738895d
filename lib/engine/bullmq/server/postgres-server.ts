import { assertSchemaCompatibility, Queue, QueueEvents, runMigrations, Worker } from 'bullmq';
import type { Pool, PoolClient } from 'pg';
import { FlowrraConfigError } from '../../../job/errors.js';
import { isPool, type ResolvedBullMqOptions } from '../bullmq-options.js';
import type { ScheduleStore } from '../../schedule-store.js';
import type { KeepRule } from '../job-mapping.js';
import type {
  AnyEvents,
  AnyQueue,
  BullServer,
  CallFailure,
  ServerJobs,
  TransactionalAdds,
} from './bull-server.js';
import { pooledBackend } from './bullmq-internals.js';
import { messageOf } from './outage-log.js';
import { PostgresJobs } from './postgres-jobs.js';
import { prepareJournals } from './postgres-journals.js';
import { type Pg, PoolGuard, timeoutPool } from './postgres-pool.js';
import { PostgresSchedules, prepareSchedules } from './postgres-schedules.js';
import { prepareTags } from './postgres-tags.js';
import { PostgresTransactions } from './postgres-transactions.js';

/** Connections for queries. Each worker and each listener holds a further one. */
const QUERY_CONNECTIONS = 5;
const MIN_QUERY_CONNECTIONS = 2;

/** A listener that gets no notification for this long looks for events by itself. */
const EVENTS_MS = 250;

/** A query without an answer for this long is given up, and its connection closed. */
const QUERY_TIMEOUT_MS = 30_000;

/** SQL states of a server that starts, stops, or has no connection left. */
const SERVER_AWAY = /^(08|57P|53300)/;
/** Those that the server answers only to an attempt to connect. */
const NOT_ADMITTED = /^(57P03|53300)$/;
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

/** BullMQ over PostgreSQL. All queues of an application share one pool. */
export class PostgresServer implements BullServer {
  readonly name = 'PostgreSQL';
  /** Calls go through several connections. */
  readonly ordered = false;
  /** One connection is left for the workers. */
  readonly maxReads = QUERY_CONNECTIONS - 1;
  readonly countsSlowly = true;
  private readonly pool: Pool;
  private readonly guard: PoolGuard;
  private readonly backend: ReturnType<typeof pooledBackend>;

  /**
   * @param queues The number of queues: each may hold two connections.
   * @param onError Called for each error of an idle connection.
   */
  constructor(
    pg: Pg,
    private readonly options: ResolvedBullMqOptions,
    private readonly queues: number,
    onError: (error: Error) => void,
  ) {
    const { connection } = options;
    const owned = !isPool(connection);
    this.pool = owned ? createPool(pg, options, queues).on('error', onError) : (connection as Pool);
    this.backend = pooledBackend(this.pool, options.schema);
    this.guard = new PoolGuard(this.pool, owned);
  }

  async connect(): Promise<void> {
    this.checkSize();
    const client = await this.guard.connect();
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

  failureOf(error: unknown): CallFailure {
    const { code, message } = faultOf(error);
    if (CONNECTION_CODES.has(code) || NOT_CONNECTED.test(message) || NOT_ADMITTED.test(code))
      return 'not sent';
    // After an error with any other SQL state, the server has rolled back.
    return /^[0-9A-Z]{5}$/.test(code) && !SERVER_AWAY.test(code) ? 'rejected' : 'unknown';
  }

  /** SQL states of data exceptions and of exceeded program limits. */
  cannotStore(error: unknown): boolean {
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

  jobs(keep: KeepRule, now: () => number): ServerJobs {
    return new PostgresJobs(this.pool, (queue) => this.named(queue), keep, now);
  }

  schedules(): ScheduleStore {
    const { prefix, schema } = this.options;
    return new PostgresSchedules(this.pool, prefix, schema);
  }

  transactions(): TransactionalAdds {
    return new PostgresTransactions(this.pool, this.options.schema);
  }

  async close(): Promise<void> {
    await this.guard.close();
  }

  /** Applications may share a schema: the prefix keeps their queues apart. */
  private named(queue: string): string {
    return `${this.options.prefix}.${queue}`;
  }

  /** Each worker and each listener holds a connection: without another one, every query would wait without limit. */
  private checkSize(): void {
    const need = 2 * this.queues + MIN_QUERY_CONNECTIONS;
    const { max } = this.pool.options;
    if (max >= need) return;
    throw new FlowrraConfigError(
      `bullmq connection: the given pool has at most ${max} connections, and ${this.queues} queues need at least ${need}. Raise its max.`,
    );
  }

  private async prepareSchema(client: PoolClient): Promise<void> {
    const { migrate, schema } = this.options;
    if (!migrate) return void (await assertSchemaCompatibility(client, schema));
    await runMigrations(client, schema);
    await prepareSchedules(client, schema);
    await prepareTags(client, schema);
    await prepareJournals(client, schema);
  }

  private async checkSearchPath(client: PoolClient): Promise<void> {
    const { schema } = this.options;
    const { rows } = await client.query<{ found: boolean }>(
      'SELECT $1 = ANY(current_schemas(false)) AS found',
      [schema],
    );
    if (rows[0]?.found) return;
    throw new FlowrraConfigError(
      `The given pool's search_path does not lead to the schema '${schema}'. Create it with new Pool({ …, options: '-c search_path=${schema}' }).`,
    );
  }

  private unusable(error: Error): Error {
    if (error instanceof FlowrraConfigError) return error;
    const { schema, migrate } = this.options;
    if (error.name === 'SchemaMigrationRequiredError')
      return new FlowrraConfigError(
        `The schema '${schema}' has not been set up. Set migrate: true, or run BullMQ's runMigrations first.`,
        { cause: error },
      );
    const advice =
      faultOf(error).code === '42501'
        ? migrate
          ? `The role may not set up the schema '${schema}': GRANT CREATE ON DATABASE to it, or run BullMQ's runMigrations as another role and set migrate: false.`
          : `Grant the role USAGE and CREATE on the schema '${schema}', and all rights on its tables, sequences and functions.`
        : 'Check the connection, the server and the role.';
    return new FlowrraConfigError(`PostgreSQL cannot be used: ${messageOf(error)}. ${advice}`, {
      cause: error,
    });
  }
}

function createPool(pg: Pg, options: ResolvedBullMqOptions, queues: number): Pool {
  const { connection, schema, submitTimeout } = options;
  const config = {
    ...withSearchPath(connection as string, schema),
    max: QUERY_CONNECTIONS + 2 * queues,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  };
  // Shorter than the timeout of a submission, so that it is known whether the submission was sent.
  return timeoutPool(pg, config, Math.ceil(submitTimeout * 0.8));
}

/** pg prefers the options in a URL to those beside it. */
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
