import type { SqlDialect } from '../../engine/sql-connection.js';

/** The differences between the databases. Statements are written with `?` as the placeholder. */
export interface Dialect {
  /** Milliseconds since the epoch, by the clock of the database, at the start of the statement. */
  readonly now: string;
  /** The types of columns. A `key` compares exactly, trailing blanks included. */
  readonly key: string;
  readonly text: string;
  readonly integer: string;
  /** A column that numbers the rows in the order of their insertion. */
  readonly serial: string;
  /** Follows the columns of a new table. */
  readonly tableOptions: string;
  /** Follows them for a table whose rows are updated in columns that no index has. */
  readonly roomForUpdates: string;
  /** Begins a statement whose condition has values of the primary key and another part. It locks no other rows. */
  updateByKey(table: string): string;
  deleteByKey(table: string): string;
  /** Follows `INSERT`'s values, so that a row whose key exists is left out. `column` is one of the key. */
  ignore(column: string): string;
  quote(name: string): string;
  /** A statement with the placeholders of the database. */
  placed(sql: string): string;
}

const quoted = (name: string): string => `"${name}"`;
const updateOf = (table: string): string => `UPDATE ${table}`;
const deleteOf = (table: string): string => `DELETE FROM ${table}`;
const unchanged = (sql: string): string => sql;

const POSTGRES: Dialect = {
  // Of the statement, not of the transaction, which may have begun long ago.
  now: '(extract(epoch from statement_timestamp()) * 1000)::bigint',
  key: 'text',
  text: 'text',
  integer: 'bigint',
  serial: 'bigserial PRIMARY KEY',
  tableOptions: '',
  // An update within its page writes no index.
  roomForUpdates: ' WITH (fillfactor = 50)',
  updateByKey: updateOf,
  deleteByKey: deleteOf,
  ignore: () => 'ON CONFLICT DO NOTHING',
  quote: quoted,
  placed(sql) {
    let count = 0;
    return sql.replaceAll('?', () => `$${++count}`);
  },
};

const MYSQL: Dialect = {
  // NOW() is ambiguous in the hour that the time zone of a session repeats in autumn.
  now: "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)",
  // utf8mb4_bin ignores trailing blanks. MySQL runs the first comment and MariaDB the second one.
  key: 'varchar(255) /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */',
  text: 'longtext',
  integer: 'bigint',
  serial: 'bigint PRIMARY KEY AUTO_INCREMENT',
  tableOptions: ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
  roomForUpdates: '',
  // For a small table the optimizer would choose a scan, which locks all rows: it would wait for each transaction of the
  // application that has inserted a row. MariaDB ignores the hint if a DELETE has no other condition.
  updateByKey: (table) => `UPDATE ${table} FORCE INDEX (PRIMARY)`,
  deleteByKey: (table) => `DELETE ${table} FROM ${table} FORCE INDEX (PRIMARY)`,
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
  tableOptions: '',
  roomForUpdates: '',
  updateByKey: updateOf,
  deleteByKey: deleteOf,
  ignore: () => 'ON CONFLICT DO NOTHING',
  quote: quoted,
  placed: unchanged,
};

export const DIALECTS: Readonly<Record<SqlDialect, Dialect>> = {
  postgres: POSTGRES,
  mysql: MYSQL,
  sqlite: SQLITE,
};
