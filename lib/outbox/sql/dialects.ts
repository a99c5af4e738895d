import type { SqlDialect } from '../../engine/sql-connection.js';

/** The differences between the databases. Statements are written with `?` as the placeholder. */
export interface Dialect {
  /** Milliseconds since the epoch, by the clock of the database, at the start of the statement. */
  readonly now: string;
  /** The types of columns. A `key` compares exactly, byte by byte. */
  readonly key: string;
  readonly text: string;
  readonly integer: string;
  /** A column that numbers the rows in the order of their insertion. */
  readonly serial: string;
  /** Follows `INSERT`'s values, so that a row whose key exists is left out. `column` is one of the key. */
  ignore(column: string): string;
  quote(name: string): string;
  /** A statement with the placeholders of the database. */
  placed(sql: string): string;
}

const quoted = (name: string): string => `"${name}"`;
const unchanged = (sql: string): string => sql;

const POSTGRES: Dialect = {
  // Of the statement, not of the transaction, which may have begun long ago.
  now: '(extract(epoch from statement_timestamp()) * 1000)::bigint',
  key: 'text',
  text: 'text',
  integer: 'bigint',
  serial: 'bigserial PRIMARY KEY',
  ignore: () => 'ON CONFLICT DO NOTHING',
  quote: quoted,
  placed(sql) {
    let count = 0;
    return sql.replaceAll('?', () => `$${++count}`);
  },
};

const MYSQL: Dialect = {
  now: 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)',
  key: 'varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
  text: 'longtext CHARACTER SET utf8mb4',
  integer: 'bigint',
  serial: 'bigint PRIMARY KEY AUTO_INCREMENT',
  // Not INSERT IGNORE, which hides other errors too.
  ignore: (column) => `ON DUPLICATE KEY UPDATE ${column} = ${column}`,
  quote: (name) => `\`${name}\``,
  placed: unchanged,
};

const SQLITE: Dialect = {
  now: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
  key: 'text',
  text: 'text',
  integer: 'integer',
  serial: 'integer PRIMARY KEY AUTOINCREMENT',
  ignore: () => 'ON CONFLICT DO NOTHING',
  quote: quoted,
  placed: unchanged,
};

export const DIALECTS: Readonly<Record<SqlDialect, Dialect>> = {
  postgres: POSTGRES,
  mysql: MYSQL,
  sqlite: SQLITE,
};
