import { oneOf, required } from '../job/rules.js';
import type { SqlDialect } from '../engine/sql-connection.js';
import { OUTBOX_RULES, type OutboxOptions } from './outbox-options.js';
import { migrations } from './sql/schema.js';

/** Options of {@link outboxSchema}. */
export type OutboxSchemaOptions = Pick<OutboxOptions, 'name' | 'schema'>;

const dialectRule = required(oneOf(['postgres', 'mysql', 'sqlite']));

/**
 * The SQL that creates the tables of an outbox, for a migration of yours: statements that end with `;`.
 *
 * @param dialect `'mysql'` for MariaDB too.
 * @throws {FlowrraConfigError} if an argument is unknown or invalid.
 */
export function outboxSchema(dialect: SqlDialect, options: OutboxSchemaOptions = {}): string {
  const names = OUTBOX_RULES.resolve({ ...options, database: {} }, 'outboxSchema()', 'outboxSchema() ');
  return migrations(dialectRule(dialect, 'outboxSchema() dialect'), names, 0)
    .map((statement) => `${statement};\n`)
    .join('');
}
