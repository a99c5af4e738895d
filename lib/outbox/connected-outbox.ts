import { FlowrraConfigError } from '../job/errors.js';
import type { JobControl } from '../engine/control.js';
import type { TransactionalSubmit } from '../engine/transactional-submit.js';
import type { ResultBackend } from '../results/result-backend.js';
import { CommitNotices } from './commit-notices.js';
import { connectionOf } from './connection/recognise.js';
import type { KnownConnection } from './connection/sql-connection.js';
import { Housekeeping } from './housekeeping.js';
import { prepareTables } from './migrate.js';
import { OnceBlocks } from './once-blocks.js';
import type { OutboxHost } from './outbox-host.js';
import { OutboxDatabase } from './outbox-database.js';
import type { ResolvedOutbox } from './outbox-options.js';
import { insertJobs, OutboxTable } from './outbox-table.js';
import { Relay } from './relay.js';
import { channelOf } from './sql/schema.js';
import { Statements } from './sql/statements.js';
import { StuckJobs } from './stuck-jobs.js';
import {
  notInTransaction,
  TransactionSink,
  type TransactionSinkParts,
  writeDirectly,
} from './transaction-sink.js';
import { controlWithUnrelayed, ResultsWithUnrelayed, UnrelayedJobs } from './unrelayed-jobs.js';
import { WakeUps } from './wake-ups.js';

/** The parts of an outbox that run only in the process itself, not in its CPU threads. */
interface Relaying {
  readonly relay: Relay;
  readonly notices: CommitNotices | null;
  readonly housekeeping: Housekeeping;
}

/** The outbox of one connected application. */
export class ConnectedOutbox {
  readonly stuck: StuckJobs;
  private readonly statements: Statements;
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
    const { clock, codec, retention, backPressure, submit, engine } = host;
    const database = new OutboxDatabase(known, clock);
    const wakeUps = new WakeUps(clock);
    const statements = new Statements(known.dialect, options);
    const table = new OutboxTable(database, statements);
    const wake = (): void => wakeUps.now();
    this.wakeUps = wakeUps;
    this.statements = statements;
    this.table = table;
    this.unrelayed = new UnrelayedJobs({ table, clock, wake });
    this.blocks = new OnceBlocks(statements, codec, retention.resultTtl);
    this.stuck = new StuckJobs(table, wake);
    const cancel = async (taskId: string, reason: string): Promise<unknown> =>
      engine.control?.cancel(taskId, reason);
    const maxBatch = backPressure.maxPending;
    const listens = options.notify && database.dialect === 'postgres';
    this.relaying = {
      relay: new Relay({ table, wakeUps, clock, maxBatch, submit, cancel }),
      notices: listens ? new CommitNotices(known, channelOf(options), clock, wake) : null,
      housekeeping: new Housekeeping({
        database,
        table,
        statements,
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

  /**
   * Accepts jobs in a transaction.
   *
   * @throws {FlowrraConfigError} unless it is a transaction of the outbox's database.
   */
  within(transaction: unknown, place: string): TransactionSink {
    const known = this.transactionOf(transaction, place);
    if (known.isInTransaction() === false) throw notInTransaction(place, known.library);
    return new TransactionSink(known, { place, write: this.writing });
  }

  /** Accepts jobs in the transaction of the calling code; `null` if it runs in none. */
  joined(): TransactionSink | null {
    const transaction = this.options.transaction?.();
    if (transaction === null || transaction === undefined) return null;
    const place = 'outbox({ transaction })';
    const known = this.transactionOf(transaction, place);
    return known.isInTransaction() === false
      ? null
      : new TransactionSink(known, { place, write: this.writing });
  }

  /** A block of a job that takes effect once. */
  async once(transaction: unknown, taskId: string, name: string, fn: () => unknown): Promise<unknown> {
    return this.blocks.run(this.begun(transaction, 'ctx.once()'), taskId, name, fn);
  }

  onceSync(transaction: unknown, taskId: string, name: string, fn: () => unknown): unknown {
    return this.blocks.runSync(this.begun(transaction, 'ctx.onceSync()'), taskId, name, fn);
  }

  /** The results of the engine, with jobs that no relay has handed on yet. */
  results(engine: ResultBackend): ResultBackend {
    return this.direct ? engine : new ResultsWithUnrelayed(engine, this.unrelayed, this.host.clock);
  }

  /** The control of the engine, with jobs that no relay has handed on yet. */
  control(engine: JobControl): JobControl {
    return this.direct ? engine : controlWithUnrelayed(engine, this.unrelayed);
  }

  /** Starts the relay. */
  start(): void {
    const { relay, notices, housekeeping } = this.relaying;
    housekeeping.start();
    if (!this.options.relay || this.direct) return;
    notices?.start();
    relay.start();
  }

  /** Resolves when nothing is being handed to the engine any more. */
  async stop(): Promise<void> {
    const { relay, notices, housekeeping } = this.relaying;
    await Promise.all([relay.stop(), notices?.stop(), housekeeping.stop()]);
  }

  /** Hands all committed jobs to the engine. Returns their number. */
  async relay(): Promise<number> {
    return this.direct ? 0 : this.relaying.relay.relayAll();
  }

  /** The age of the oldest job that waits for a relay, in milliseconds, and the number of stuck jobs. */
  async health(): Promise<{ readonly oldestMs: number | null; readonly stuck: number }> {
    return { oldestMs: await this.table.oldestAge(), stuck: await this.table.stuckCount() };
  }

  private readonly writing: TransactionSinkParts['write'] = (transaction, jobs) => {
    if (this.direct) return writeDirectly(this.direct)(transaction, jobs);
    const written = insertJobs(transaction, this.statements, this.options.notify, jobs);
    const inserted = (): void => this.wakeUps.inserted(jobs.map(({ taskId }) => taskId));
    if (written instanceof Promise) return written.then(inserted);
    inserted();
  };

  private begun(transaction: unknown, place: string): KnownConnection {
    const known = this.transactionOf(transaction, place);
    if (known.isInTransaction() === false) throw notInTransaction(place, known.library);
    return known;
  }

  private transactionOf(transaction: unknown, place: string): KnownConnection {
    const known = connectionOf(transaction, place);
    const { dialect } = this.known;
    if (known.dialect === dialect) return known;
    throw new FlowrraConfigError(
      `${place}: this is a transaction of ${known.dialect}, and the outbox is in a database of ${dialect}. Its row must be in the database of the transaction.`,
    );
  }
}

async function directly(
  database: KnownConnection,
  { engine, isThread }: OutboxHost,
): Promise<TransactionalSubmit> {
  const { transactions } = engine;
  if (transactions === undefined)
    throw new FlowrraConfigError(
      `outbox: direct is true, and the engine cannot add jobs in a transaction${isThread ? ' of a CPU thread' : ''}. Use BullMQ over PostgreSQL, or leave out direct.`,
    );
  if (transactions.dialect === database.dialect && (await transactions.isSameDatabase(database)))
    return transactions;
  throw new FlowrraConfigError(
    'outbox: direct is true, and the engine is in another database. Use the same database for both, or leave out direct.',
  );
}
