import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { FlowrraConfigError } from '../../../job/errors.js';
import type { AnyEvents, AnyQueue, BullServer, Refusal } from './bull-server.js';
import type { Kept } from '../job-mapping.js';
import { RedisJobs } from './redis-jobs.js';
import type { ServerJobs } from './server-jobs.js';
import { isRedisClient, type ResolvedBullMqOptions } from '../bullmq-options.js';
import { silenceFor, SilenceWatch } from './silence-watch.js';
import { writeTogether } from '../submit/written-together.js';

const LONGEST_RECONNECT_MS = 2_000;
/** Afterwards a connection that was let go of is cut: until then it would keep the process from ending. */
const PARTING_MS = 200;

const BOTH: RedisOptions = {
  // BullMQ demands it of workers: a command waits for the server, however long that takes.
  maxRetriesPerRequest: null,
  lazyConnect: true,
  disconnectTimeout: PARTING_MS,
  // After a failover this connection leads to what is a replica now.
  reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  retryStrategy: (tries) => Math.min(tries * 100, LONGEST_RECONNECT_MS),
};
/** Submits and reads. It keeps nothing for later: what a server did not take must not turn up afterwards. */
const PRODUCER: RedisOptions = { ...BOTH, enableOfflineQueue: false, autoResendUnfulfilledCommands: false };
/** Takes jobs, and goes on by itself when a server is back. */
const CONSUMER: RedisOptions = BOTH;

/** What ioredis says when there was no connection to write to, and when one broke. */
const NOT_WRITTEN = "isn't writeable";
const BROKEN = /Connection is closed|Connection given up|isn't writeable|^READONLY/;
/** The server says no, though only for the moment. */
const NOT_YET = /^(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|UNBLOCKED)/;

/** BullMQ over Redis, or what speaks like it. */
export class RedisServer implements BullServer {
  readonly name = 'Redis';
  /** They go through one connection. */
  readonly ordered = true;
  readonly reads = 100;
  readonly countsSlowly = false;
  /** All that were made here, or by BullMQ after their likeness: a connection that is left open outlives the application. */
  private readonly open: Redis[] = [];
  private readonly watch: SilenceWatch;
  private readonly producer: Redis;
  private consumer: Redis | null = null;
  /** Why there is no connection; ioredis itself only says that there is none. */
  private broken: Error | null = null;

  /** @param trouble Told of every error of a connection. */
  constructor(
    private readonly options: ResolvedBullMqOptions,
    private readonly trouble: (error: Error) => void,
  ) {
    this.watch = new SilenceWatch(this.open, silenceFor(options.workerOptions));
    this.producer = rejectUnanswered(this.client(PRODUCER));
    this.producer.on('error', (error) => (this.broken = error));
    this.producer.on('ready', () => (this.broken = null));
  }

  async connect(): Promise<void> {
    try {
      this.watch.start();
      if (this.producer.status === 'wait') await this.producer.connect();
      await this.producer.ping();
      const { db = 0 } = this.producer.options;
      // Otherwise ioredis would go on in the first one.
      if (db > 0) await this.producer.select(db);
      await Promise.all([this.checkRole(), this.checkMode()]);
    } catch (error) {
      if (error instanceof FlowrraConfigError) throw error;
      throw this.broken ?? error;
    }
  }

  private async checkRole(): Promise<void> {
    const about = await this.producer.info('replication').catch(() => '');
    if (about.includes('role:slave'))
      throw new Error('READONLY: this Redis is a replica, which takes no jobs');
  }

  private async checkMode(): Promise<void> {
    const about = await this.producer.info('cluster').catch(() => '');
    if (about.includes('cluster_enabled:1'))
      throw new FlowrraConfigError(
        'bullmq connection: this is a Redis Cluster, which is not supported, however many nodes it has. Use a Redis without cluster mode, or PostgreSQL.',
      );
  }

  /** A replica answers, and takes nothing. */
  async ping(): Promise<void> {
    await this.producer.ping();
    await this.checkRole();
  }

  refusalOf(error: unknown): Refusal {
    if (!(error instanceof Error)) return 'unknown';
    if (error.message.includes(NOT_WRITTEN)) return 'not sent';
    return error.name === 'ReplyError' ? 'refused' : 'unknown';
  }

  cannotHold(): boolean {
    return false;
  }

  isOutage(error: unknown): boolean {
    const { code, message = '', name } = error as Partial<Error & { code: unknown }>;
    return name === 'ReplyError'
      ? NOT_YET.test(message)
      : /^E[A-Z_]+$/.test(String(code)) || BROKEN.test(message);
  }

  queue(name: string): AnyQueue {
    const { prefix, queueOptions } = this.options;
    return new Queue(name, { ...queueOptions, prefix, connection: this.producer });
  }

  worker: BullServer['worker'] = (name, processor, options) =>
    new Worker(name, processor, { ...options, prefix: this.options.prefix, connection: this.taking });

  events(name: string): AnyEvents {
    return new QueueEvents(name, { prefix: this.options.prefix, connection: this.taking });
  }

  jobs(keep: Kept, now: () => number): ServerJobs {
    return new RedisJobs(this.producer, this.options.prefix, keep, now);
  }

  async close(): Promise<void> {
    this.watch.stop();
    // ioredis waits for the end of a connection even if that lies behind it.
    for (const client of this.open) if (client.status !== 'end') client.disconnect();
  }

  /** BullMQ makes further connections of its own after its likeness, for those who wait for jobs. */
  private get taking(): Redis {
    return (this.consumer ??= this.client(CONSUMER));
  }

  private client(options: RedisOptions): Redis {
    const client = clientLike(this.options.connection, options).on('error', this.trouble);
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (override) => this.kept(duplicate(override));
    return this.kept(client);
  }

  private kept(client: Redis): Redis {
    this.open.push(client);
    return writeTogether(client);
  }
}

/**
 * Rejects the commands that have no answer when their connection ends: ioredis neither sends them again,
 * with `autoResendUnfulfilledCommands: false`, nor settles them. `flushQueue` is its own, for its last end.
 */
function rejectUnanswered(client: Redis): Redis {
  const { flushQueue } = client as unknown as {
    flushQueue(error: Error, queues: { readonly offlineQueue: boolean }): void;
  };
  return client.on('close', () =>
    flushQueue.call(client, new Error('Connection is closed.'), { offlineQueue: false }),
  );
}

/** A client that was given is but the model: it may keep commands for later, and then refused jobs would turn up. */
function clientLike(connection: ResolvedBullMqOptions['connection'], options: RedisOptions): Redis {
  if (typeof connection === 'string') return new Redis(connection, options);
  if (!isRedisClient(connection)) {
    const { url, ...rest } = connection as RedisOptions & { readonly url?: string };
    const settings = { ...rest, ...options };
    return url === undefined ? new Redis(settings) : new Redis(url, settings);
  }
  const given = connection as Redis;
  if (given.options.keyPrefix) {
    throw new FlowrraConfigError(
      "bullmq connection: the given client has a keyPrefix, which BullMQ cannot use. Give one without, and use the option 'prefix'.",
    );
  }
  return given.duplicate(options);
}
