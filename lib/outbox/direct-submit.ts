import type { TransactionalSubmit } from '../engine/transactional-submit.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { OutboxHost } from './connected-outbox.js';
import type { KnownConnection } from './connection/sql-connection.js';

/**
 * The part of the engine that adds jobs in transactions.
 *
 * @throws {FlowrraConfigError} if the engine has none, or is in another database.
 */
export async function directSubmit(
  database: KnownConnection,
  { engine, isThread }: OutboxHost,
): Promise<TransactionalSubmit> {
  // The application has been checked. A thread may still use ctx.once().
  if (isThread) return NOT_IN_THREAD;
  const { transactions } = engine;
  if (transactions === undefined)
    throw new FlowrraConfigError(
      'outbox: direct is true, and the engine cannot add jobs in a transaction. Use BullMQ over PostgreSQL, or leave out direct.',
    );
  if (transactions.dialect === database.dialect && (await transactions.isSameDatabase(database)))
    return transactions;
  throw new FlowrraConfigError(
    'outbox: direct is true, and the engine is in another database. Use the same database for both, or leave out direct.',
  );
}

const NOT_IN_THREAD: TransactionalSubmit = {
  dialect: 'postgres',
  isSameDatabase: async () => true,
  async submit() {
    throw new FlowrraConfigError(
      'flowrra.within(): outbox({ direct: true }) adds no jobs in a CPU thread. Submit on the main thread, or leave out direct.',
    );
  },
};
