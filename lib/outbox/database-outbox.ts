import { Logger } from '@nestjs/common';
import type { JobControl } from '../engine/control.js';
import type { TransactionalSubmit } from '../engine/transactional-submit.js';
import { whenDone } from '../job/async.js';
import { FlowrraConfigError } from '../job/errors.js';
import { printed } from '../job/show-value.js';
import type { ResultBackend } from '../results/result-backend.js';
import { CommitNotices } from './commit-notices.js';
import type { ConnectedOutbox, OutboxHealth, OutboxHost, TransactionSink } from './connected-outbox.js';
import { connectionOf } from './connection/recognise.js';
import type { KnownConnection } from './connection/sql-connection.js';
import type { JobWriter } from './database-sink.js';
import { directSubmit } from './direct-submit.js';
import { Housekeeping } from './housekeeping.js';
import { prepareTables } from './migrate.js';
import { OnceBlocks } from './once-blocks.js';
import { withId } from './outbox-job.js';
import { OutboxDatabase } from './outbox-database.js';
import type { ResolvedOutbox } from './outbox-options.js';
import { insertJobs, OutboxTable } from './outbox-table.js';
import { Relay } from './relay.js';
import { channelOf } from './sql/schema.js';
import { statementsOf } from './sql/statements.js';
import { StuckJobs } from './stuck-jobs.js';
import { Transactions } from './transactions.js';
import { controlWithUnrelayed, ResultsWithUnrelayed, UnrelayedJobs } from './unrelayed-jobs.js';
import { WakeUps } from './wake-ups.js';

/** How long an operation waits for a job that it needs in the engine. */
const UNTIL_RELAYED_MS = 10_000;

/**
 * The outbox in a database of the application: the transactions write into its tables, and the relay reads from them,
 * unless jobs are added directly to an engine in the same database.
 */
export class DatabaseOutbox implements ConnectedOutbox {
  readonly stuck: StuckJobs;
  private readonly transactions: Transactions;
  private readonly blocks: OnceBlocks;
  private readonly table: OutboxTable;
  private readonly unrelayed: UnrelayedJobs;
  private readonly relaying: Relay;
  /** `null` if the relay is not told of commits. */
  private readonly notices: CommitNotices | null;
  private readonly housekeeping: Housekeeping;

  private constructor(
    private readonly options: ResolvedOutbox,
    private readonly host: OutboxHost,
    connection: KnownConnection,
    private readonly direct: TransactionalSubmit | null,
  ) {
    const { clock, codec, retention, backPressure, submit, cancel, engine } = host;
    const { dialect } = connection;
    const database = new OutboxDatabase(connection, clock);
    const statements = statementsOf(dialect, options);
    const table = new OutboxTable(database, statements);
    const wakeUps = new WakeUps(clock);
    const wake = (): void => wakeUps.now();
    const insert: JobWriter['write'] = (transaction, given) => {
      const jobs = given.map(withId);
      const taskIds = jobs.map(({ taskId }) => taskId);
      return whenDone(insertJobs(transaction, statements, options.notify, jobs), () => {
        wakeUps.inserted(taskIds);
        return taskIds;
      });
    };
    const writer: JobWriter =
      direct === null
        ? { sync: true, write: insert }
        : { sync: false, write: (transaction, jobs) => direct.submit(transaction, jobs) };
    this.table = table;
    this.transactions = new Transactions(dialect, writer, options.transaction);
    this.blocks = new OnceBlocks(statements, codec, retention.resultTtl);
    this.stuck = new StuckJobs(table, wake);
    this.unrelayed = new UnrelayedJobs({ table, clock, wake });
    this.relaying = new Relay({
      table,
      wakeUps,
      clock,
      submit,
      maxBatch: backPressure.maxPending,
      cancel,
    });
    this.notices =
      options.notify && dialect === 'postgres'
        ? new CommitNotices(connection, channelOf(options), clock, wake)
        : null;
    this.housekeeping = new Housekeeping({
      database,
      table,
      statements,
      clock,
      keepMs: retention.resultTtl,
      isShared: host.supports.has('shared'),
      isKnown: async (taskId) => ((await engine.control?.job(taskId)) ?? null) !== null,
    });
  }

  /** @throws {FlowrraConfigError} if the options do not fit the database or the engine. */
  static async open(options: ResolvedOutbox, host: OutboxHost): Promise<DatabaseOutbox> {
    const connection = connectionOf(options.database, 'outbox({ database })');
    if (options.schema !== undefined && connection.dialect === 'sqlite')
      throw new FlowrraConfigError('outbox: SQLite has no schemas. Leave out the option schema.');
    const direct = options.direct ? await directSubmit(connection, host) : null;
    if (!host.isThread)
      await prepareTables(new OutboxDatabase(connection, host.clock), options, options.migrate);
    return new DatabaseOutbox(options, host, connection, direct);
  }

  within(transaction: unknown, place: string): TransactionSink {
    return this.transactions.sink(transaction, place);
  }

  joined(): TransactionSink | null {
    return this.transactions.joined();
  }

  async once(transaction: unknown, taskId: string, name: string, fn: () => unknown): Promise<unknown> {
    return this.blocks.run(this.transactions.of(transaction, 'ctx.once()'), taskId, name, fn);
  }

  onceSync(transaction: unknown, taskId: string, name: string, fn: () => unknown): unknown {
    return this.blocks.runSync(this.transactions.of(transaction, 'ctx.onceSync()'), taskId, name, fn);
  }

  results(engine: ResultBackend): ResultBackend {
    return this.direct ? engine : new ResultsWithUnrelayed(engine, this.unrelayed, this.host.clock);
  }

  control(engine: JobControl): JobControl {
    return this.direct ? engine : controlWithUnrelayed(engine, this.unrelayed);
  }

  async untilRelayed(taskId: string): Promise<string> {
    if (this.options.relay) await this.relay().catch(() => undefined);
    return this.unrelayed.untilRelayed(taskId, { timeout: UNTIL_RELAYED_MS });
  }

  start(): void {
    this.housekeeping.start();
    if (!this.options.relay) return;
    if (this.direct) return void this.relayEarlier();
    this.notices?.start();
    this.relaying.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.relaying.stop(), this.notices?.stop(), this.housekeeping.stop()]);
  }

  async relay(): Promise<number> {
    return this.relaying.relayAll();
  }

  async health(): Promise<OutboxHealth> {
    return { oldestMs: await this.table.oldestAge(), stuck: await this.table.stuckCount() };
  }

  /** Without `direct`, the application may have left rows, for which no relay would look any more. */
  private async relayEarlier(): Promise<void> {
    try {
      await this.relay();
    } catch (error) {
      new Logger('Flowrra').warn(
        `The outbox cannot hand earlier jobs to the engine. They stay in the database until the next start, or flowrra.outbox.relay(): ${printed(error)}`,
      );
    }
  }
}
