import type { NewJob } from '../job/job.js';
import type { SqlConnection } from './sql-connection.js';

/**
 * Adds jobs inside a transaction of the application, on the database of the engine itself. They exist from the commit
 * on, and never if the transaction is rolled back.
 */
export interface TransactionalSubmit {
  /** The dialect of the engine's database. */
  readonly dialect: SqlConnection['dialect'];
  /**
   * Whether the connection reaches the database of the engine.
   *
   * @throws {FlowrraConfigError} if it does, and its role has no access to the engine's schema.
   */
  isSameDatabase(connection: SqlConnection): Promise<boolean>;
  /**
   * Adds the jobs, and returns their ids: a job without one gets one. A job whose id is known is not added again.
   * `maxPending` does not apply: jobs that are not committed cannot be counted, and a transaction must not wait for room.
   *
   * @throws {FlowrraConfigError} for a job that cannot be added in a transaction, and any error of the connection.
   */
  submit(connection: SqlConnection, jobs: readonly NewJob[]): Promise<string[]>;
}
