import { recogniseKnex } from './knex.js';
import { at, looksLike } from './shape.js';
import type { KnownConnection } from './sql-connection.js';

interface EntityManager {
  isInTransaction(): boolean;
  /** The transaction of Knex, also on the global manager in a callback of `transactional()`. */
  getTransactionContext(): unknown;
  getConnection(type: 'write'): unknown;
}

/** Recognises `orm` and `em` of MikroORM 6 over an SQL database. Their driver is Knex. */
export function recogniseMikroOrm(value: unknown): KnownConnection | null {
  const isOrm = isManager(at(value, 'em'));
  const em = isOrm ? at(value, 'em') : value;
  if (!isManager(em)) return null;
  const root = recogniseKnex(knexOf(em));
  if (root === null) return null;
  // `orm` stands for the database. A manager changes over time: it has a transaction or none.
  if (isOrm) return { ...root, library: 'MikroORM' };
  return {
    ...root,
    library: 'MikroORM',
    isInTransaction: () => em.isInTransaction(),
    run: (sql, values) => (recogniseKnex(em.getTransactionContext()) ?? root).run(sql, values),
  };
}

function isManager(value: unknown): value is EntityManager {
  return looksLike<EntityManager>(value, 'isInTransaction', 'getTransactionContext', 'getConnection');
}

function knexOf(em: EntityManager): unknown {
  const connection = em.getConnection('write');
  return looksLike<{ getKnex(): unknown }>(connection, 'getKnex') ? connection.getKnex() : undefined;
}
