import { suggest } from '../../job/check.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { showValue } from '../../job/show-value.js';
import { recogniseDrizzle } from './drizzle.js';
import { recogniseKnex } from './knex.js';
import { recogniseKysely } from './kysely.js';
import { recogniseMikroOrm } from './mikro-orm.js';
import { recogniseMysql2 } from './mysql2.js';
import { recognisePg } from './pg.js';
import { recognisePostgresJs } from './postgres-js.js';
import { recognisePrisma } from './prisma.js';
import { at, looksLike } from './shape.js';
import type { KnownConnection, SqlConnection, SqlDialect } from './sql-connection.js';
import { recogniseSqliteDriver } from './sqlite-drivers.js';
import { recogniseTypeOrm } from './typeorm.js';

const SQL_DIALECTS: readonly SqlDialect[] = ['postgres', 'mysql', 'sqlite'];

/** By the shape of the value alone: no library is imported. ORMs come before drivers, whose methods some of them have. */
const SHAPES: readonly ((value: unknown) => KnownConnection | null)[] = [
  recogniseOwn,
  recognisePrisma,
  recogniseTypeOrm,
  recogniseMikroOrm,
  recogniseKysely,
  recogniseDrizzle,
  recogniseKnex,
  recognisePostgresJs,
  recognisePg,
  recogniseMysql2,
  recogniseSqliteDriver,
];

const LIBRARIES =
  'Prisma, TypeORM, MikroORM, Kysely, Drizzle, Knex, postgres.js, pg, mysql2, better-sqlite3 and node:sqlite';

/**
 * The connection behind a transaction, a client, a pool or an ORM of a library that is known, or behind a
 * {@link SqlConnection}; `null` for any other value.
 */
export function recognise(value: unknown): KnownConnection | null {
  for (const shape of SHAPES) {
    const known = shape(value);
    if (known !== null) return known;
  }
  return null;
}

/**
 * The same as {@link recognise}, for a value that must be known.
 *
 * @param place Names the call or the option in the error, such as `flowrra.within()`.
 * @throws {FlowrraConfigError} if the value is not recognised. The message names the place, shows the value and the
 * object to give in its place.
 */
export function connectionOf(value: unknown, place: string): KnownConnection {
  const known = recognise(value);
  if (known === null) throw new FlowrraConfigError(`${place}: ${reasonAgainst(value)}`);
  return known;
}

function reasonAgainst(value: unknown): string {
  const shown = showValue(value);
  const dialect = at(value, 'dialect');
  const hasRun = looksLike(value, 'run');
  if (hasRun && (typeof dialect === 'string' || dialect === undefined))
    return `dialect ${showValue(dialect)} is not valid. ${suggest(dialect, SQL_DIALECTS)}`;
  if (isDialect(dialect) && !hasRun)
    return `run ${showValue(at(value, 'run'))} is not valid. It must be a function: (sql, values) => the rows.`;
  const advice = looksLike(value, 'then') ? ' Await it first.' : '';
  return (
    `${shown} is neither a transaction nor a connection that is recognised.${advice} Recognised are those of ` +
    `${LIBRARIES}, over PostgreSQL, MySQL, MariaDB and SQLite. For another library, give ` +
    `{ dialect: 'postgres', run: (sql, values) => … }, which runs the statement and returns its rows.`
  );
}

/** A connection that the application describes itself. */
function recogniseOwn(value: unknown): KnownConnection | null {
  if (!looksLike<SqlConnection>(value, 'run') || !isDialect(at(value, 'dialect'))) return null;
  return {
    dialect: value.dialect,
    library: 'SqlConnection',
    sync: value.sync === true,
    isInTransaction: () => null,
    run: (sql, values) => value.run(sql, values),
  };
}

function isDialect(value: unknown): value is SqlDialect {
  return (SQL_DIALECTS as readonly unknown[]).includes(value);
}
