import { statSync } from 'node:fs';
import { openDatabaseFile } from '../../lib/engine/sqlite/file/database-file.js';
import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { FileTransaction } from '../../lib/engine/sqlite/file/file-transaction.js';
import { Counters } from '../../lib/engine/sqlite/sql/counters.js';
import { resolveSqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { DRIVER, tempFile } from '../support/sqlite.js';

/** Bytes of the log that are kept for reuse: MAX_KEPT_LOG in database-file.ts. */
const KEPT = 16_777_216;
/** The pages of 4,096 bytes that one transaction writes. */
const PAGES = 110;

const open: SqliteDatabase[] = [];
afterEach(() => open.splice(0).forEach((database) => database.close()));

async function connect(file: string): Promise<SqliteDatabase> {
  const database = await openDatabaseFile(resolveSqliteOptions({ file, driver: DRIVER }));
  open.push(database);
  return database;
}

/** Two writers that take turns, and a reader. All writes replace the same rows. */
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
  const checkpointOnce = (): void => {
    for (const { transaction } of writers) if (transaction.checkpointDue) transaction.checkpoint();
  };
  const length = (): number => statSync(`${file}-wal`).size;
  const write = (): void => writers.forEach((writer) => writer.write());
  return { write, read, endRead: () => reader.exec('COMMIT'), checkpointOnce, length };
}

it('the log stays short, even if it is read during every checkpoint', async () => {
  const { write, read, endRead, checkpointOnce, length } = await together();
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 3; n++) write();
    read();
    write();
    // First up to the reader's snapshot, then, if another checkpoint is due, the rest.
    checkpointOnce();
    endRead();
    checkpointOnce();
  }
  expect(length()).toBeLessThanOrEqual(KEPT);
});

it('a long reader lets the log grow, and it restarts after the reader has ended', async () => {
  const { write, read, endRead, checkpointOnce, length } = await together();
  read();
  for (let round = 0; round < 30; round++) {
    write();
    checkpointOnce();
  }
  expect(length()).toBeGreaterThan(KEPT);
  endRead();
  for (let round = 0; round < 10; round++) {
    write();
    checkpointOnce();
  }
  expect(length()).toBeLessThanOrEqual(KEPT);
});
