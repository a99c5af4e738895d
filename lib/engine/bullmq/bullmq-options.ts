import type { PgPool, QueueOptions, RedisOptions, WorkerOptions } from 'bullmq';
import { masked } from '../../job/show-value.js';
import type { Duration } from '../../job/duration.js';
import { checkObject, wrong } from '../../job/check.js';
import {
  duration,
  flag,
  oneOf,
  OptionTable,
  type Resolved,
  type Rule,
  type RulesOf,
  text,
  wholeNumber,
} from '../../job/rules.js';

/** A client of ioredis. */
export interface RedisClient {
  readonly status: string;
  readonly options: object;
  duplicate(): unknown;
}

/** Where BullMQ keeps its queues. */
export type BullMqConnection =
  /** `redis://…`, `rediss://…` or `postgres://…`. */
  | string
  /** Options of ioredis, or of BullMQ with a `url`. */
  | RedisOptions
  /** A client of ioredis that the application owns: a model for further connections. Flowrra does not close it. */
  | RedisClient
  /** A pool of pg that the application owns, with the schema in its `search_path`. Flowrra does not close it. */
  | PgPool;

/** BullMQ's options that Flowrra sets, each with the option to use instead. */
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
  name: 'no option: Flowrra generates it',
};
type OwnQueueOption = keyof typeof OWN_QUEUE_OPTIONS;
type OwnWorkerOption = keyof typeof OWN_WORKER_OPTIONS;

/** Options of the BullMQ engine. */
export interface BullMqOptions {
  /** Redis or PostgreSQL: a URL, options of ioredis, a client of ioredis, or a pool of pg. */
  connection: BullMqConnection;
  /**
   * Separates the application's queues from others on the same server: the beginning of the keys on
   * Redis, and of the queues' names on PostgreSQL. It may contain no space, colon or brace.
   *
   * @defaultValue 'flowrra'
   */
  prefix?: string;
  /**
   * PostgreSQL: the schema of the tables. Letters, digits, `_` and `$`, at most 63.
   *
   * @defaultValue 'bullmq'
   */
  schema?: string;
  /**
   * PostgreSQL: create or migrate the schema at the start.
   *
   * @defaultValue true
   */
  migrate?: boolean;
  /**
   * At the start, if the server is unreachable: `'fail'`, or `'wait'` until it answers.
   *
   * @defaultValue 'fail'
   */
  whenUnreachable?: 'fail' | 'wait';
  /**
   * How long a submission or a query waits for the server's answer: 100 ms to 24 h.
   *
   * @defaultValue '5s'
   */
  submitTimeout?: Duration;
  /**
   * A worker renews the leases of its running jobs. If a lease ends without a renewal, another worker
   * runs the job: 100 ms to 24 h.
   *
   * @defaultValue '30s'
   */
  lease?: Duration;
  /**
   * How many times a job runs again because its worker died, before it fails. 0 or more.
   *
   * @defaultValue 3
   */
  maxRescues?: number;
  /**
   * `events$` also emits the submissions, starts and ends of jobs in other processes. Each costs a read
   * of the job. PostgreSQL may lose some of BullMQ's events under load.
   *
   * @defaultValue false
   */
  fleetEvents?: boolean;
  /**
   * Further options of BullMQ, for every queue and every worker.
   *
   * @defaultValue `{}`
   */
  bullmq?: {
    readonly queue?: Partial<Omit<QueueOptions, OwnQueueOption>>;
    readonly worker?: Partial<Omit<WorkerOptions, OwnWorkerOption>>;
  };
}

/** With a shorter time, a busy event loop would look like a dead worker or a silent server. */
const MIN_MS = 100;
const MAX_MS = 24 * 3_600_000;

const FOR_POSTGRES = 'For PostgreSQL, give a URL or a pool of pg.';

const BULL_RULES = new OptionTable({
  queue: bullOptions(OWN_QUEUE_OPTIONS),
  worker: bullOptions(OWN_WORKER_OPTIONS),
} satisfies RulesOf<BullMqOptions['bullmq']>);

const RULES = new OptionTable({
  connection: resolveConnection,
  prefix: text(/^[^\s:{}]+$/, 'It may contain no space, colon or brace.', 'flowrra'),
  schema: text(
    /^[A-Za-z_][\w$]{0,62}$/,
    'It must be a name of letters, digits, _ and $, at most 63.',
    'bullmq',
  ),
  migrate: flag(true),
  whenUnreachable: oneOf(['fail', 'wait'], 'fail'),
  submitTimeout: duration({ min: MIN_MS, max: MAX_MS, default: '5s' }),
  lease: duration({ min: MIN_MS, max: MAX_MS, default: '30s' }),
  maxRescues: wholeNumber({ min: 0, default: 3 }),
  fleetEvents: flag(false),
  bullmq: (value: unknown = {}) => BULL_RULES.resolve(value, 'bullmq.bullmq'),
} satisfies RulesOf<BullMqOptions>);

type Checked = Resolved<typeof RULES>;

/** All options, checked; times in milliseconds. */
export interface ResolvedBullMqOptions extends Omit<Checked, 'bullmq'> {
  readonly queueOptions: object;
  readonly workerOptions: object;
}

/** @throws {FlowrraConfigError} naming the option, the value and the allowed values. */
export function resolveBullMqOptions(options: BullMqOptions): ResolvedBullMqOptions {
  const { bullmq, ...own } = RULES.resolve(options, 'bullmq options', 'bullmq ');
  return { ...own, queueOptions: bullmq.queue, workerOptions: bullmq.worker };
}

/** Whether a connection leads to PostgreSQL. */
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
    "It must be a URL such as 'redis://localhost:6379' or 'postgres://user@localhost/app', options of ioredis, a client of ioredis, or a pool of pg.";
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
  throw wrong(
    'bullmq connection',
    pool,
    'A single client of pg cannot be used: give a pool, new Pool({ … }).',
  );
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

/** Errors show the URL without its password. */
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
      'It is no valid URL. In a user name and a password, encode all characters except letters and digits: # is %23, / is %2F, @ is %40.',
    );
  }
}

/** @param own Options that Flowrra sets itself, each with the option to use instead. */
function bullOptions(own: Readonly<Record<string, string>>): Rule<object> {
  return (options = {}, path) => {
    checkObject(options, path, 'It must be an object with options of BullMQ.');
    for (const [key, instead] of Object.entries(own))
      if (key in options)
        throw wrong(`${path}.${key}`, (options as Record<string, unknown>)[key], `Use ${instead}.`);
    return options;
  };
}
