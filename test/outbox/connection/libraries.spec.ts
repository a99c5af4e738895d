import { startServices } from '../../../scripts/services/services.mjs';
import { connectionOf, recognise } from '../../../lib/outbox/connection/recognise.js';
import type { KnownConnection, SqlRow } from '../../../lib/outbox/connection/sql-connection.js';
import { tempFile } from '../../support/sqlite.js';
import { LIBRARIES, type Handle, type Library } from '../support/libraries.js';

const services = await startServices({ redis: false, mariadb: true });
const mysqlUrl = services.mariadbUrl;

afterAll(() => services.stop());

/** Larger than 32 bits hold. */
const LARGE = 2 ** 40;
/** Connections of these drivers do not tell whether a transaction is open. */
const SILENT = ['mysql2', 'mysql2/promise'];

class Undo extends Error {}

/** Runs the function in a transaction that is rolled back. */
async function undone<T>(handle: Handle, fn: (tx: KnownConnection, raw: unknown) => Promise<T>): Promise<T> {
  const results: T[] = [];
  const transaction = handle.transaction(async (tx) => {
    results.push(await fn(connectionOf(tx, 'tx'), tx));
    throw new Undo();
  });
  await expect(transaction).rejects.toThrow(Undo);
  return results[0] as T;
}

describe.each(LIBRARIES.map((library, index) => ({ ...library, index, name: nameOf(library) })))(
  '$name',
  ({ library, dialect, sync = false, index, open }) => {
    const table = `flowrra_known_${index}`;
    let handle: Handle;
    let database: KnownConnection;

    /** With the placeholders of the dialect. */
    const sql = (text: string): string => {
      let n = 0;
      return text.replaceAll('{t}', table).replaceAll('?', () => (dialect === 'postgres' ? `$${++n}` : '?'));
    };
    const insert = (on: KnownConnection, id: string): unknown =>
      on.run(sql('INSERT INTO {t} (id, n, note) VALUES (?, ?, ?)'), [id, LARGE, null]);
    const ids = async (on: KnownConnection): Promise<unknown[]> =>
      (await on.run(sql('SELECT id FROM {t} ORDER BY id'), [])).map(({ id }) => id);

    beforeAll(async () => {
      handle = await open({ postgres: services.postgresUrl, mysql: mysqlUrl, sqlite: tempFile() }[dialect]);
      database = connectionOf(handle.database, 'database');
      await database.run(sql('DROP TABLE IF EXISTS {t}'), []);
      await database.run(
        sql('CREATE TABLE {t} (id VARCHAR(40) PRIMARY KEY, n BIGINT NOT NULL, note VARCHAR(40))'),
        [],
      );
    });
    beforeEach(async () => {
      await database.run(sql('DELETE FROM {t}'), []);
    });
    afterAll(async () => {
      if (dialect !== 'sqlite') await database.run(sql('DROP TABLE {t}'), []);
      await handle.close();
    });

    it('is recognised as a database', () => {
      expect(recognise(handle.database)).toMatchObject({ library: shown(library), dialect, sync });
      expect(database.isInTransaction()).toBe(false);
    });

    it('is recognised as a transaction', async () => {
      const told = await undone(handle, async (tx) => {
        expect(tx).toMatchObject({ library: shown(library), dialect, sync });
        return tx.isInTransaction();
      });
      expect(told).toBe(SILENT.includes(library) ? null : true);
      expect(database.isInTransaction()).toBe(false);
    });

    it('runs statements with values, and returns their rows', async () => {
      const check = async (on: KnownConnection): Promise<void> => {
        expect(await insert(on, `it's`)).toEqual([]);
        const found = await on.run(sql('SELECT id, n, note FROM {t} WHERE n = ? AND id <> ?'), [LARGE, '?']);
        expect(found.map(plain)).toEqual([{ id: `it's`, n: LARGE, note: null }]);
        expect(await on.run(sql('UPDATE {t} SET note = ? WHERE n > ?'), ['$1 ?', LARGE - 1])).toEqual([]);
        expect(await on.run(sql('SELECT note FROM {t} WHERE id = ?'), [`it's`])).toEqual([{ note: '$1 ?' }]);
        expect(await on.run(sql('SELECT id FROM {t} WHERE id = ?'), ['none'])).toEqual([]);
        expect(await on.run(sql('DELETE FROM {t} WHERE id = ?'), [`it's`])).toEqual([]);
      };
      await check(database);
      await undone(handle, check);
    });

    it('returns the rows of RETURNING', async () => {
      const check = async (on: KnownConnection): Promise<void> => {
        const text = 'INSERT INTO {t} (id, n) VALUES (?, ?), (?, ?) RETURNING id, n';
        const inserted = await on.run(sql(text), ['a', 1, 'b', 2]);
        expect(inserted.map(plain)).toEqual([
          { id: 'a', n: 1 },
          { id: 'b', n: 2 },
        ]);
        // MariaDB knows no UPDATE … RETURNING.
        if (dialect !== 'mysql') {
          const updated = await on.run(sql('UPDATE {t} SET n = ? WHERE id = ? RETURNING n'), [LARGE, 'a']);
          expect(updated.map(plain)).toEqual([{ n: LARGE }]);
          expect(await on.run(sql('UPDATE {t} SET n = 0 WHERE id = ? RETURNING n'), ['c'])).toEqual([]);
        }
        const deleted = await on.run(sql('DELETE FROM {t} WHERE id = ? RETURNING id'), ['a']);
        expect(deleted).toEqual([{ id: 'a' }]);
        await on.run(sql('DELETE FROM {t}'), []);
      };
      await check(database);
      await undone(handle, check);
    });

    it('rejects with an error that names the constraint', async () => {
      await insert(database, 'a');
      // Not toThrow: in Jest, an error of a native addon may be of another realm.
      const failure = (async () => insert(database, 'a'))();
      await expect(failure).rejects.toHaveProperty('message', expect.stringMatching(/unique|duplicate/i));
      await insert(database, 'b');
      expect(await ids(database)).toEqual(['a', 'b']);
    });

    it('rolls a statement back with its transaction', async () => {
      await handle.transaction(async (tx) => insert(connectionOf(tx, 'tx'), 'kept'));
      const inside = await undone(handle, async (tx) => {
        await insert(tx, 'undone');
        return ids(tx);
      });
      expect(inside).toEqual(['kept', 'undone']);
      expect(await ids(database)).toEqual(['kept']);
    });

    it('rolls a statement back with its nested transaction', async () => {
      await handle.transaction(async (outer) => {
        await insert(connectionOf(outer, 'tx'), 'outer');
        const inner = handle.nested(outer, async (tx) => {
          expect(connectionOf(tx, 'tx').isInTransaction()).toBe(SILENT.includes(library) ? null : true);
          await insert(connectionOf(tx, 'tx'), 'inner');
          throw new Undo();
        });
        await expect(inner).rejects.toThrow(Undo);
        await insert(connectionOf(outer, 'tx'), 'after');
      });
      expect(await ids(database)).toEqual(['after', 'outer']);
    });

    it('keeps statements of the database out of an open transaction, or tells of it', async () => {
      const outside = await undone(handle, async (tx) => {
        await insert(tx, 'uncommitted');
        if (database.isInTransaction() === true) return { told: true, seen: [] };
        const seen = ids(database);
        // Libraries with one connection to SQLite run the statement after the transaction.
        return { told: false, seen: dialect === 'sqlite' ? seen : await seen };
      });
      expect(await outside.seen).toEqual([]);
      // These share one connection between everything that uses the database.
      expect(outside.told).toBe(sync || (library === 'TypeORM' && dialect === 'sqlite'));
      expect(database.isInTransaction()).toBe(false);
    });

    if (!sync) return;

    it('runs statements synchronously', () => {
      const transactionSync = handle.transactionSync as <T>(fn: (tx: unknown) => T) => T;
      transactionSync((tx) => {
        const known = connectionOf(tx, 'tx');
        expect(known.isInTransaction()).toBe(true);
        expect(insert(known, 'sync')).toEqual([]);
      });
      const failing = (): unknown =>
        transactionSync((tx) => {
          void insert(connectionOf(tx, 'tx'), 'undone');
          throw new Undo();
        });
      expect(failing).toThrow(Undo);
      expect(database.run(sql('SELECT id FROM {t}'), [])).toEqual([{ id: 'sync' }]);
    });
  },
);

function nameOf({ library, dialect }: Library): string {
  return `${library} on ${dialect}`;
}

/** The name in errors. */
function shown(library: string): string {
  return library === 'mysql2/promise' ? 'mysql2' : library;
}

/** Drivers return whole numbers as `number`, `bigint` or `string`. */
function plain(row: SqlRow): SqlRow {
  return 'n' in row ? { ...row, n: Number(row.n) } : { ...row };
}
