export { outbox } from './outbox.js';
export type { Outbox, StuckJob } from './connected-outbox.js';
export { outboxSchema } from './outbox-schema.js';
export type { OutboxOptions } from './outbox-options.js';
export type { SqlConnection, SqlDialect, SqlRow, SqlValue } from '../engine/sql-connection.js';
