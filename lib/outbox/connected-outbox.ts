import type { Capability, ConnectedEngine } from '../engine/engine.js';
import type { JobControl } from '../engine/control.js';
import type { MaybePromise } from '../job/async.js';
import type { Clock } from '../job/clock.js';
import type { NewJob } from '../job/job.js';
import type { PayloadCodec } from '../job/payload/payload-codec.js';
import type { BackPressure, Retention } from '../job/queue.js';
import type { ResultBackend } from '../results/result-backend.js';
import type { IdentifiedJob } from './outbox-job.js';

/** The return value of `outbox()`, for `forRoot({ outbox })`. */
export interface Outbox {
  /** Checks the database, and creates the tables if the options say so. */
  connect(host: OutboxHost): Promise<ConnectedOutbox>;
}

/** Settings and services for an outbox. */
export interface OutboxHost {
  readonly engine: ConnectedEngine;
  readonly supports: ReadonlySet<Capability>;
  readonly clock: Clock;
  readonly codec: PayloadCodec;
  readonly retention: Retention;
  readonly backPressure: BackPressure;
  /** Whether this is a CPU thread, which only submits. */
  readonly isThread: boolean;
  /** Hands jobs to the engine and tells of them. Returns the ids of the jobs that stand for them. */
  submit(jobs: readonly IdentifiedJob[]): Promise<readonly string[]>;
}

/** The outbox of one connected application. */
<<<<<<< HEAD
export interface ConnectedOutbox {
  readonly stuck: StuckList;
=======
export class ConnectedOutbox {
  private readonly logger = new Logger('Flowrra');
  readonly stuck: StuckJobs;
  private readonly table: OutboxTable;
  private readonly unrelayed: UnrelayedJobs;
  private readonly blocks: OnceBlocks;
  private readonly wakeUps: WakeUps;
  private readonly relaying: Relaying;

  private constructor(
    private readonly options: ResolvedOutbox,
    private readonly host: OutboxHost,
    private readonly known: KnownConnection,
    private readonly direct: TransactionalSubmit | null,
  ) {
    const { clock, codec, retention, backPressure, submit, cancel, engine } = host;
    const database = new OutboxDatabase(known, clock);
    const wakeUps = new WakeUps(clock);
    const table = new OutboxTable(database, options);
    const wake = (): void => wakeUps.now();
    this.wakeUps = wakeUps;
    this.table = table;
    this.unrelayed = new UnrelayedJobs({ table, clock, wake });
    this.blocks = new OnceBlocks(options, codec, retention.resultTtl);
    this.stuck = new StuckJobs(table, wake);
    const maxBatch = backPressure.maxPending;
    const listens = options.notify && database.dialect === 'postgres';
    this.relaying = {
      relay: new Relay({ table, wakeUps, clock, maxBatch, submit, cancel }),
      notices: listens ? new CommitNotices(known, channelOf(options), clock, wake) : null,
      housekeeping: new Housekeeping({
        database,
        table,
        names: options,
        clock,
        keepMs: retention.resultTtl,
        isShared: host.supports.has('shared'),
        isKnown: async (taskId) => ((await engine.control?.job(taskId)) ?? null) !== null,
      }),
    };
  }

  /** @throws {FlowrraConfigError} if the options do not fit the database or the engine. */
  static async open(options: ResolvedOutbox, host: OutboxHost): Promise<ConnectedOutbox> {
    const database = connectionOf(options.database, 'outbox({ database })');
    if (options.schema !== undefined && database.dialect === 'sqlite')
      throw new FlowrraConfigError('outbox: SQLite has no schemas. Leave out the option schema.');
    const direct = options.direct ? await directly(database, host) : null;
    const outbox = new ConnectedOutbox(options, host, database, direct);
    if (!host.isThread) {
      await prepareTables(new OutboxDatabase(database, host.clock), options, options.migrate);
    }
    return outbox;
  }

>>>>>>> direct
  /**
   * Accepts jobs in a transaction.
   *
   * @param place The place of the call, for errors.
   * @throws {FlowrraConfigError} unless it is a transaction of the outbox's database.
   */
  within(transaction: unknown, place: string): TransactionSink;
  /** Accepts jobs in the transaction of the calling code; `null` if it runs in none. */
  joined(): TransactionSink | null;
  /** A block of a job that takes effect once. */
  once(transaction: unknown, taskId: string, name: string, fn: () => unknown): Promise<unknown>;
  /** The same with a library that is not asynchronous. */
  onceSync(transaction: unknown, taskId: string, name: string, fn: () => unknown): unknown;
  /** The results of the engine, with jobs that no relay has handed on yet. */
  results(engine: ResultBackend): ResultBackend;
  /** The control of the engine, with jobs that no relay has handed on yet. */
  control(engine: JobControl): JobControl;
  /**
   * Waits until the engine has a job that is committed, or another one that stands for it.
   *
   * @returns the id to ask the engine for: the given one, if the outbox does not have the job.
   * @throws {TaskTimeoutError} if no relay has handed it on within ten seconds.
   */
  untilRelayed(taskId: string): Promise<string>;
  /** Starts the relay. */
  start(): void;
  /** Resolves when nothing is being handed to the engine any more. */
  stop(): Promise<void>;
  /** Hands all committed jobs to the engine. Returns their number. */
  relay(): Promise<number>;
  health(): Promise<OutboxHealth>;
}

/** Accepts jobs in a transaction of the application. They exist from its commit on. */
export interface TransactionSink {
  /** Whether a job is stored when the call returns. */
  readonly isSync: boolean;
  /** The library of the transaction, for errors. */
  readonly library: string;
  enqueue(job: NewJob): MaybePromise<string>;
  enqueueMany(jobs: readonly NewJob[]): MaybePromise<string[]>;
}

/** The jobs that no relay tries to hand on any more. */
export interface StuckList {
  list(): Promise<StuckJob[]>;
  retry(taskId: string): Promise<boolean>;
  remove(taskId: string): Promise<boolean>;
}

/** A job that a relay could not hand to the engine, after several tries. */
export interface StuckJob {
  readonly taskId: string;
  /** `null` if this version of Flowrra cannot read the row. */
  readonly taskName: string | null;
  readonly submittedAt: Date;
  readonly tries: number;
  /** The error of the last try. */
  readonly error: string;
}

/** The state of an outbox. */
export interface OutboxHealth {
  /** How long the oldest job has waited for a relay, in milliseconds; `null` if none waits. */
  readonly oldestMs: number | null;
  /** The number of jobs that no relay tries to hand on any more. */
  readonly stuck: number;
}
