import { statSync } from 'node:fs';
import { openDatabaseFile } from '../../lib/engine/sqlite/file/database-file.js';
import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { FileTransaction } from '../../lib/engine/sqlite/file/file-transaction.js';
import { Counters } from '../../lib/engine/sqlite/sql/counters.js';
import { resolveSqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { DRIVER, tempFile } from '../support/sqlite.js';

/** What may stay of it for reuse: LONGEST_LOG in database-file.ts. */
const KEPT = 16_777_216;
/** How many one transaction writes, of 4,096 bytes each. */
const PAGES = 110;

const open: SqliteDatabase[] = [];
afterEach(() => open.splice(0).forEach((database) => database.close()));

async function connect(file: string): Promise<SqliteDatabase> {
  const database = await openDatabaseFile(resolveSqliteOptions({ file, driver: DRIVER }));
  open.push(database);
  return database;
}

/** Two processes that write in turns, and a reader; all that is written takes the place of what was. */
async function together() {
  const file = tempFile();
  const [first, second, reader] = [await connect(file), await connect(file), await connect(file)];
  first.exec('CREATE TABLE notes (n INTEGER PRIMARY KEY, text TEXT)');
  const writers = [first, second].map((database) => {
    const transaction = new FileTransaction(database, new Counters(database), () => undefined);
    const note = database.prepare('INSERT OR REPLACE INTO notes (n, text) VALUES (?, ?)');
    const write = (): void => {
      transaction.begin();
      for (let n = 0; n < PAGES; n++) note.run(n, 'x'.repeat(4_000));
      transaction.end(PAGES * 12);
    };
    return { transaction, write };
  });
  const look = reader.prepare('SELECT count(*) FROM notes');
  const read = (): void => {
    reader.exec('BEGIN');
    look.get();
  };
  const mergeOnce = (): void => {
    for (const { transaction } of writers) if (transaction.checkpointDue) transaction.checkpoint();
  };
  const length = (): number => statSync(`${file}-wal`).size;
  const write = (): void => writers.forEach((writer) => writer.write());
  return { write, read, endRead: () => reader.exec('COMMIT'), mergeOnce, length };
}

it('the log stays short though somebody is at it whenever it is carried over', async () => {
  const { write, read, endRead, mergeOnce, length } = await together();
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 3; n++) write();
    read();
    write();
    // As far as what the reader sees, and, if another step is due, the rest.
    mergeOnce();
    endRead();
    mergeOnce();
  }
  expect(length()).toBeLessThanOrEqual(KEPT);
});

it('a long reader makes it grow, and it begins anew when that has ended', async () => {
  const { write, read, endRead, mergeOnce, length } = await together();
  read();
  for (let round = 0; round < 30; round++) {
    write();
    mergeOnce();
  }
  expect(length()).toBeGreaterThan(KEPT);
  endRead();
  for (let round = 0; round < 10; round++) {
    write();
    mergeOnce();
  }
  expect(length()).toBeLessThanOrEqual(KEPT);
});
