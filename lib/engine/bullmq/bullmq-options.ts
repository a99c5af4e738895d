import type { PgPool, QueueOptions, RedisOptions, WorkerOptions } from 'bullmq';
import { masked } from '../../job/show-value.js';
import type { Duration } from '../../job/duration.js';
import {
  checkKeys,
  checkObject,
  durationBetween,
  flag,
  keysOf,
  oneOf,
  wholeNumber,
  wrong,
} from '../../job/check.js';

/** A client of ioredis, as far as it matters here. */
export interface RedisClient {
  readonly status: string;
  readonly options: object;
  duplicate(): unknown;
}

/** Where BullMQ keeps its queues. */
export type BullMqConnection =
  /** `redis://…`, `rediss://…` or `postgres://…`. */
  | string
  /** How to connect to Redis, as ioredis takes it, or with a `url` among the options, as BullMQ does. */
  | RedisOptions
  /** An ioredis client of the application's own: further connections are made like it. It is not closed. */
  | RedisClient
  /** A PostgreSQL pool of the application's own, whose `search_path` leads to the schema. It is not closed. */
  | PgPool;

/** What is Flowrra's to set, and by which option. */
const OWN_QUEUE_OPTIONS = { connection: 'connection', prefix: 'prefix' };
const OWN_WORKER_OPTIONS = {
  ...OWN_QUEUE_OPTIONS,
  concurrency: "numWorkers, or the queue's concurrency",
  lockDuration: 'lease',
  maxStalledCount: 'maxRescues',
  maxStartedAttempts: 'maxRetries of the task',
  autorun: 'role',
  settings: 'backoff of the task',
  limiter: 'rateLimit or fleetRateLimit of the queue',
  name: 'nothing: it is made',
};
type OwnQueueOption = keyof typeof OWN_QUEUE_OPTIONS;
type OwnWorkerOption = keyof typeof OWN_WORKER_OPTIONS;

/** Options of the BullMQ engine. */
export interface BullMqOptions {
  /** Redis or PostgreSQL: a URL, options for ioredis, or a client or pool that exists already. */
  connection: BullMqConnection;
  /** Redis: what the keys of its queues begin with. Default `'flowrra'`. */
  prefix?: string;
  /** PostgreSQL: the schema of its tables. Default `'bullmq'`. */
  schema?: string;
  /** PostgreSQL: bring the schema up to date at the start. Default `true`. */
  migrate?: boolean;
  /** At the start, while the server is out of reach: `'fail'` (default) or `'wait'` for it. */
  whenUnreachable?: 'fail' | 'wait';
  /** How long a submission waits for the server's answer. Default 5 s. */
  submitTimeout?: Duration;
  /** How long a worker that shows no sign of life keeps its running jobs. Default 30 s. */
  lease?: Duration;
  /** How often a job is taken over from a worker that died before it counts as failed. Default 3. */
  maxRescues?: number;
  /**
   * `events$` tells of other processes as well: of what they submit, start and end, by BullMQ's events,
   * of which PostgreSQL under load may lose some. Each costs a look at its job. Default `false`.
   */
  fleetEvents?: boolean;
  /** Further options of BullMQ's own, for every queue and every worker. */
  bullmq?: {
    readonly queue?: Partial<Omit<QueueOptions, OwnQueueOption>>;
    readonly worker?: Partial<Omit<WorkerOptions, OwnWorkerOption>>;
  };
}

/** Every option, checked; times in milliseconds. */
export interface ResolvedBullMqOptions {
  readonly connection: BullMqConnection;
  readonly prefix: string;
  readonly schema: string;
  readonly migrate: boolean;
  readonly whenUnreachable: 'fail' | 'wait';
  readonly submitTimeout: number;
  readonly lease: number;
  readonly maxRescues: number;
  readonly fleetEvents: boolean;
  readonly queueOptions: object;
  readonly workerOptions: object;
}

const KEYS = keysOf<BullMqOptions>({
  connection: true,
  prefix: true,
  schema: true,
  migrate: true,
  whenUnreachable: true,
  submitTimeout: true,
  lease: true,
  maxRescues: true,
  fleetEvents: true,
  bullmq: true,
});
/** Below it, an event loop that is busy for a moment would count as dead or silent. */
const SHORTEST_MS = 100;
const LONGEST_MS = 24 * 3_600_000;
const SCHEMA = /^[A-Za-z_][\w$]{0,62}$/;
const FOR_POSTGRES = 'For PostgreSQL, give a URL or a pool of pg.';
const PREFIX = /^[^\s:{}]+$/;

/** @throws {FlowrraConfigError} naming the option, the value and what would be right. */
export function resolveBullMqOptions(options: BullMqOptions): ResolvedBullMqOptions {
  checkKeys(options, KEYS, 'bullmq options');
  const { bullmq = {} } = options;
  checkKeys(
    bullmq,
    keysOf<NonNullable<BullMqOptions['bullmq']>>({ queue: true, worker: true }),
    'bullmq.bullmq',
  );
  return {
    connection: resolveConnection(options.connection),
    prefix: matching(
      PREFIX,
      options.prefix,
      'bullmq prefix',
      'flowrra',
      'It may hold no space, colon or brace.',
    ),
    schema: matching(
      SCHEMA,
      options.schema,
      'bullmq schema',
      'bullmq',
      'It must be a name of letters, digits and _, at most 63.',
    ),
    migrate: flag(options.migrate, 'bullmq migrate', true),
    whenUnreachable: oneOf(options.whenUnreachable, 'bullmq whenUnreachable', ['fail', 'wait'], 'fail'),
    submitTimeout: durationBetween(
      SHORTEST_MS,
      LONGEST_MS,
      options.submitTimeout,
      'bullmq submitTimeout',
      5_000,
    ),
    lease: durationBetween(SHORTEST_MS, LONGEST_MS, options.lease, 'bullmq lease', 30_000),
    maxRescues: wholeNumber(options.maxRescues, 'bullmq maxRescues', { min: 0, fallback: 3 }),
    fleetEvents: flag(options.fleetEvents, 'bullmq fleetEvents', false),
    queueOptions: passedOn(bullmq.queue, 'bullmq.bullmq.queue', OWN_QUEUE_OPTIONS),
    workerOptions: passedOn(bullmq.worker, 'bullmq.bullmq.worker', OWN_WORKER_OPTIONS),
  };
}

/** Whether a URL, or what was given in its place, leads to PostgreSQL. */
export function isPostgres(connection: BullMqConnection): boolean {
  return typeof connection === 'string' ? /^postgres(ql)?:/i.test(connection) : isPool(connection);
}

export function isPool(connection: unknown): connection is PgPool {
  const { connect, query, end } = connection as Partial<Record<keyof PgPool, unknown>>;
  return [connect, query, end].every((method) => typeof method === 'function');
}

export function isRedisClient(connection: unknown): connection is RedisClient {
  const { duplicate, status } = connection as Partial<RedisClient>;
  return typeof duplicate === 'function' && typeof status === 'string';
}

function resolveConnection(connection: unknown): BullMqConnection {
  const need =
    "It must be a URL such as 'redis://localhost:6379' or 'postgres://user@localhost/app', options for ioredis, a client of ioredis, or a pool of pg.";
  if (typeof connection === 'string') return checkUrl(connection, 'bullmq connection', need);
  if (typeof connection !== 'object' || connection === null)
    throw wrong('bullmq connection', connection, need);
  if ('isCluster' in connection && connection.isCluster)
    throw wrong('bullmq connection', connection, 'Redis Cluster is not supported.');
  if (isPool(connection)) return checkPool(connection);
  if (isRedisClient(connection)) return connection;
  if (Object.getPrototypeOf(connection) === Object.prototype) return checkRedisOptions(connection);
  throw wrong('bullmq connection', connection, need);
}

function checkPool(pool: PgPool): PgPool {
  const { max } = ((pool as { options?: unknown }).options ?? {}) as { max?: unknown };
  if (typeof max === 'number') return pool;
  throw wrong('bullmq connection', pool, 'A single client of pg will not do: give a pool, new Pool({ … }).');
}

function checkRedisOptions(options: RedisOptions): RedisOptions {
  const { url } = options;
  for (const key of ['connectionString', 'database', 'user'])
    if (key in options) throw wrong(`bullmq connection.${key}`, '…', FOR_POSTGRES);
  if (url === undefined) return options;
  const path = 'bullmq connection.url';
  const need = "It must be a URL such as 'redis://localhost:6379'.";
  if (typeof url !== 'string') throw wrong(path, url, need);
  if (isPostgres(url)) throw wrong(path, masked(url), FOR_POSTGRES);
  checkUrl(url, path, need);
  return options;
}

/** Without the password, of which some characters have to be encoded. */
function checkUrl(url: string, path: string, need: string): string {
  if (!/^(rediss?|postgres(ql)?):\/\/./i.test(url)) throw wrong(path, masked(url), need);
  try {
    const { password } = new URL(url);
    decodeURIComponent(password);
    return url;
  } catch {
    throw wrong(
      path,
      masked(url),
      'It is no valid URL. In a user name and a password, encode what is neither a letter nor a digit: # is %23, / is %2F, @ is %40.',
    );
  }
}

function matching(pattern: RegExp, value: unknown, path: string, fallback: string, need: string): string {
  if (value === undefined) return fallback;
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw wrong(path, value, need);
}

function passedOn(options: object | undefined, path: string, own: Readonly<Record<string, string>>): object {
  if (options === undefined) return {};
  checkObject(options, path, 'It must be an object of options, as BullMQ takes them.');
  for (const [key, instead] of Object.entries(own))
    if (key in options)
      throw wrong(`${path}.${key}`, (options as Record<string, unknown>)[key], `Use ${instead}.`);
  return options;
}
