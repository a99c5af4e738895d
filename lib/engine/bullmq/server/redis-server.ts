import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { FlowrraConfigError } from '../../../job/errors.js';
import { isRedisClient, type ResolvedBullMqOptions } from '../bullmq-options.js';
import type { ScheduleStore } from '../../schedule-store.js';
import type { KeepRule } from '../job-mapping.js';
import type { AnyEvents, AnyQueue, BullServer, CallFailure, ServerJobs } from './bull-server.js';
import {
  SilenceWatch,
  isBrokenConnection,
  isNotWritten,
  maxSilence,
  onDuplicate,
  rejectUnanswered,
  writeTogether,
} from './ioredis-internals.js';
import { RedisJobs } from './redis-jobs.js';
import { RedisSchedules } from './redis-schedules.js';

const MAX_RECONNECT_MS = 2_000;
/** How long a closed connection may take to end: it keeps the process alive until then. */
const DISCONNECT_MS = 200;

const BOTH: RedisOptions = {
  // BullMQ requires this for workers: a command waits for the server without limit.
  maxRetriesPerRequest: null,
  lazyConnect: true,
  disconnectTimeout: DISCONNECT_MS,
  // After a failover, this connection leads to a replica.
  reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  retryStrategy: (tries) => Math.min(tries * 100, MAX_RECONNECT_MS),
};
/** Submits and reads. It queues no commands: a job of which the submission was rejected must not be added later. */
const PRODUCER: RedisOptions = { ...BOTH, enableOfflineQueue: false, autoResendUnfulfilledCommands: false };
/** Claims jobs, and goes on by itself after an outage. */
const CONSUMER: RedisOptions = BOTH;

/** Error replies of a server that may accept the same command later. */
const TEMPORARY = /^(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|UNBLOCKED)/;

/** BullMQ over Redis, or a server that speaks its protocol. */
export class RedisServer implements BullServer {
  readonly name = 'Redis';
  /** There is one connection for submissions. */
  readonly ordered = true;
  readonly maxReads = 100;
  readonly countsSlowly = false;
  /** All clients, including those that BullMQ creates by `duplicate`: an open connection would outlive the application. */
  private readonly clients: Redis[] = [];
  private readonly watch: SilenceWatch;
  private readonly producer: Redis;
  private consumer: Redis | null = null;
  /** The error of the producer's connection: ioredis rejects commands without it. */
  private connectionError: Error | null = null;

  /** @param onError Called for each error of a connection. */
  constructor(
    private readonly options: ResolvedBullMqOptions,
    private readonly onError: (error: Error) => void,
  ) {
    this.watch = new SilenceWatch(this.clients, maxSilence(options.workerOptions));
    this.producer = rejectUnanswered(this.client(PRODUCER));
    this.producer.on('error', (error) => (this.connectionError = error));
    this.producer.on('ready', () => (this.connectionError = null));
  }

  async connect(): Promise<void> {
    try {
      this.watch.start();
      if (this.producer.status === 'wait') await this.producer.connect();
      await this.producer.ping();
      const { db = 0 } = this.producer.options;
      // If the database does not exist, ioredis by itself would go on in database 0.
      if (db > 0) await this.producer.select(db);
      await Promise.all([this.checkRole(), this.checkMode()]);
    } catch (error) {
      if (error instanceof FlowrraConfigError) throw error;
      throw this.connectionError ?? error;
    }
  }

  async ping(): Promise<void> {
    await this.producer.ping();
    await this.checkRole();
  }

  failureOf(error: unknown): CallFailure {
    if (!(error instanceof Error)) return 'unknown';
    if (isNotWritten(error)) return 'not sent';
    return error.name === 'ReplyError' ? 'rejected' : 'unknown';
  }

  cannotStore(): boolean {
    return false;
  }

  isOutage(error: unknown): boolean {
    const { code, message = '', name } = error as Partial<Error & { code: unknown }>;
    if (name === 'ReplyError') return TEMPORARY.test(message);
    return /^E[A-Z_]+$/.test(String(code)) || isBrokenConnection(message) || message.startsWith('READONLY');
  }

  queue(name: string): AnyQueue {
    const { prefix, queueOptions } = this.options;
    return new Queue(name, { ...queueOptions, prefix, connection: this.producer });
  }

  worker: BullServer['worker'] = (name, processor, options) =>
    new Worker(name, processor, { ...options, prefix: this.options.prefix, connection: this.consuming });

  events(name: string): AnyEvents {
    return new QueueEvents(name, { prefix: this.options.prefix, connection: this.consuming });
  }

  jobs(keep: KeepRule, now: () => number): ServerJobs {
    return new RedisJobs(this.producer, this.options.prefix, keep, now);
  }

  schedules(): ScheduleStore {
    return new RedisSchedules(this.producer, this.options.prefix);
  }

  async close(): Promise<void> {
    this.watch.stop();
    // ioredis would wait for the end of a connection that has ended already.
    for (const client of this.clients) if (client.status !== 'end') client.disconnect();
  }

  private async checkRole(): Promise<void> {
    const info = await this.producer.info('replication').catch(() => '');
    if (info.includes('role:slave'))
      throw new Error('READONLY: this Redis is a replica, which accepts no jobs');
  }

  private async checkMode(): Promise<void> {
    const info = await this.producer.info('cluster').catch(() => '');
    if (info.includes('cluster_enabled:1'))
      throw new FlowrraConfigError(
        'bullmq connection: this is a Redis Cluster, which is not supported, even with a single node. Use a Redis without cluster mode, or PostgreSQL.',
      );
  }

  /** BullMQ duplicates this client for each worker and each listener. */
  private get consuming(): Redis {
    return (this.consumer ??= this.client(CONSUMER));
  }

  private client(options: RedisOptions): Redis {
    const client = clientLike(this.options.connection, options).on('error', this.onError);
    onDuplicate(client, this.kept);
    return this.kept(client);
  }

  private readonly kept = (client: Redis): Redis => {
    this.clients.push(client);
    return writeTogether(client);
  };
}

/** A given client is only a model: it may queue commands, and a job of which the submission was rejected would be added later. */
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
      "bullmq connection: the given client has a keyPrefix, which BullMQ cannot use. Give a client without keyPrefix, and use the option 'prefix'.",
    );
  }
  return given.duplicate(options);
}
