import { wrong } from '../job/check.js';
import { flag, OptionTable, optional, type Resolved, type RulesOf, text } from '../job/rules.js';

/** Options of `outbox()`. */
export interface OutboxOptions {
  /**
   * The database of your transactions: the pool, client, data source or ORM through which the relay reaches it. See the
   * page about transactions for the libraries, or give a `SqlConnection`.
   */
  database: object;
  /**
   * Returns the transaction in which the calling code runs; nothing, or what is no transaction, outside of one. Then
   * each submission inside of a transaction takes part in it, without `within`.
   *
   * @defaultValue only `within` takes part in a transaction
   */
  transaction?: () => object | null | undefined;
  /**
   * Whether jobs are added to the engine in the transaction itself, without a row in the outbox and without a relay.
   * The engine must be BullMQ over PostgreSQL, in the same database.
   *
   * @defaultValue `false`
   */
  direct?: boolean;
  /**
   * Whether this process hands jobs from the outbox to the engine. One process at least must.
   *
   * @defaultValue `true`
   */
  relay?: boolean;
  /**
   * Whether PostgreSQL tells the relays of a commit by `NOTIFY`. If not, they look once a second, and soon after a
   * submission of their own process.
   *
   * @defaultValue `true`
   */
  notify?: boolean;
  /**
   * Whether missing tables are created at the start, and old ones changed. If not, the start fails until they exist:
   * `outboxSchema()` returns the SQL for a migration of yours.
   *
   * @defaultValue `true`
   */
  migrate?: boolean;
  /**
   * The first part of the names of the tables: 1 to 30 letters (a to z), digits and `_`, not first a digit. Applications
   * that use other engines need other names.
   *
   * @defaultValue `'flowrra'`
   */
  name?: string;
  /**
   * The schema of the tables, of MySQL the database, which exists already. Named like `name`. Not for SQLite.
   *
   * @defaultValue the one that a connection uses by itself
   */
  schema?: string;
}

const NAME = /^[a-z_][a-z0-9_]{0,29}$/i;
const NAME_NEED = 'It must be 1 to 30 letters (a to z), digits and _, not first a digit.';

export const OUTBOX_RULES = new OptionTable({
  database(value, path): object {
    if ((typeof value === 'object' && value !== null) || typeof value === 'function') return value;
    throw wrong(path, value, 'It must be the pool, client, data source or ORM of your database.');
  },
  transaction: optional((value, path) => {
    if (typeof value === 'function') return value as () => unknown;
    throw wrong(path, value, 'It must be a function that returns the current transaction.');
  }),
  direct: flag(false),
  relay: flag(true),
  notify: flag(true),
  migrate: flag(true),
  name: text(NAME, NAME_NEED, 'flowrra'),
  schema: text(NAME, NAME_NEED),
} satisfies RulesOf<OutboxOptions>);

export type ResolvedOutbox = Resolved<typeof OUTBOX_RULES>;
