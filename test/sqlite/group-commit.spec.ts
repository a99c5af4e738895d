import { EngineError } from '../../lib/index.js';
import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { FileTransaction } from '../../lib/engine/sqlite/file/file-transaction.js';
import { GroupCommit } from '../../lib/engine/sqlite/file/group-commit.js';
import { Counters } from '../../lib/engine/sqlite/sql/counters.js';
import { migrate } from '../../lib/engine/sqlite/file/migrations.js';
import { DRIVER, tempFile } from '../support/sqlite.js';

async function openDatabase(file: string): Promise<SqliteDatabase> {
  const database = (await loadDriver(DRIVER)).open(file);
  migrate(database, file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0; CREATE TABLE IF NOT EXISTS notes (n)');
  return database;
}

/** Counts the transactions that reach the database. */
function counted(database: SqliteDatabase): SqliteDatabase & { commits: number } {
  const counting = {
    commits: 0,
    exec: (sql: string) => database.exec(sql),
    rollback: () => database.rollback(),
    close: () => database.close(),
    prepare: <R>(sql: string) => {
      const statement = database.prepare<R>(sql);
      if (sql !== 'COMMIT') return statement;
      const run = (): number => {
        counting.commits++;
        return statement.run();
      };
      return { ...statement, run };
    },
  };
  return counting;
}

async function start(options: { lockTimeout?: number } = {}) {
  const file = tempFile();
  const database = counted(await openDatabase(file));
  const transaction = new FileTransaction(database, new Counters(database), () => undefined);
  const commit = new GroupCommit(transaction, file, options.lockTimeout ?? 5_000);
  const insert = database.prepare('INSERT INTO notes (n) VALUES (?)');
  const note = (n: number, rows?: number): Promise<number> => commit.write(() => insert.run(n), rows);
  const notes = (): number[] =>
    database
      .prepare<{ n: number }>('SELECT n FROM notes ORDER BY n')
      .all()
      .map(({ n }) => n);
  return { file, database, commit, note, notes };
}

it('writes of the same turn share one transaction', async () => {
  const { database, note, notes } = await start();
  await Promise.all([1, 2, 3, 4, 5].map((n) => note(n)));
  expect([database.commits, notes()]).toEqual([1, [1, 2, 3, 4, 5]]);
  await note(6);
  expect(database.commits).toBe(2);
});

it('a transaction contains a bounded number of rows, and the event loop turns in between', async () => {
  const { database, note } = await start();
  const writes = Promise.all(Array.from({ length: 1_200 }, (_, n) => note(n)));
  let turns = 0;
  const turn = (): void => {
    turns++;
    if (database.commits < 3) setImmediate(turn);
  };
  setImmediate(turn);
  await writes;
  expect(database.commits).toBeGreaterThanOrEqual(3);
  expect(turns).toBeGreaterThanOrEqual(2);
});

it('a failed write affects no other write, and leaves no rows', async () => {
  const { database, commit, note, notes } = await start();
  const insertTwice = (): void => database.exec('INSERT INTO notes (n) VALUES (7), (8)');
  const outcomes = await Promise.allSettled([
    note(1),
    commit.write(() => {
      insertTwice();
      throw new Error('half done');
    }),
    note(2),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  await note(3);
  expect(notes()).toEqual([1, 2, 3]);
});

it('a write waits while another program holds the file locked', async () => {
  const { file, note, notes } = await start();
  const other = await openDatabase(file);
  other.exec('BEGIN IMMEDIATE');
  const written = note(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(notes()).toEqual([]);
  other.exec('COMMIT');
  await written;
  expect(notes()).toEqual([1]);
  other.close();
});

it('a write is rejected after lockTimeout, with advice, and leaves no rows', async () => {
  const { file, note, notes } = await start({ lockTimeout: 10 });
  const other = await openDatabase(file);
  other.exec('BEGIN IMMEDIATE');
  const error = await note(1).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  expect((error as Error).message).toMatch(/another program holds the database locked.*lockTimeout/);
  other.exec('COMMIT');
  other.close();
  await note(2);
  expect(notes()).toEqual([2]);
});

/** An item that takes longer than one step. */
function slow<T>(value: T): { value: T; rows: number } {
  for (const end = performance.now() + 4; performance.now() < end;);
  return { value, rows: 1 };
}

it('a long write takes several turns, is atomic, and excludes other writes', async () => {
  const { file, database, commit, note, notes } = await start();
  const other = await openDatabase(file);
  const seen = other.prepare<{ notes: number }>('SELECT count(*) AS notes FROM notes');
  const counts = new Set<number | undefined>();
  let turns = 0;
  const turn = (): void => {
    turns++;
    if (turns < 100) setImmediate(turn);
  };
  const insert = database.prepare('INSERT INTO notes (n) VALUES (?)');
  const long = commit.writeEach([1, 2, 3, 4], (n) => {
    counts.add(seen.get()?.notes);
    if (n === 1) turn();
    insert.run(n);
    return slow(turns);
  });
  const [turnsSeen] = await Promise.all([long, note(0), note(5)]);
  expect(new Set(turnsSeen).size).toBe(4);
  expect([database.commits, [...counts], notes()]).toEqual([2, [0], [0, 1, 2, 3, 4, 5]]);
  other.close();
});

it('a failed long write leaves no rows', async () => {
  const { database, commit, note, notes } = await start();
  const insert = database.prepare('INSERT INTO notes (n) VALUES (?)');
  const [long, after] = await Promise.allSettled([
    commit.writeEach([1, 2, 3], (n) => {
      if (n === 3) throw new Error('the last one');
      return slow(insert.run(n));
    }),
    note(3),
  ]);
  expect([long.status, after.status, notes()]).toEqual(['rejected', 'fulfilled', [3]]);
});

it('fail() rejects waiting writes, later writes and the long write under way', async () => {
  const { database, commit, note, notes } = await start();
  const insert = database.prepare('INSERT INTO notes (n) VALUES (?)');
  const long = commit.writeEach([1, 2, 3], (n) => slow(insert.run(n)));
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = note(4);
  commit.fail(new EngineError('The file has gone.'));
  const rejected = await Promise.allSettled([long, waiting, note(5)]);
  for (const each of rejected) expect(each).toMatchObject({ reason: { message: 'The file has gone.' } });
  expect([database.commits, notes()]).toEqual([0, []]);
});

it('close() finishes a long write', async () => {
  const { database, commit, notes } = await start();
  const insert = database.prepare('INSERT INTO notes (n) VALUES (?)');
  const long = commit.writeEach([1, 2, 3], (n) => slow(insert.run(n)));
  await new Promise((resolve) => setImmediate(resolve));
  await commit.close();
  await long;
  expect(notes()).toEqual([1, 2, 3]);
});

it('close() makes the waiting writes, and later writes are rejected', async () => {
  const { commit, note, notes } = await start();
  const written = Promise.all([note(1), note(2)]);
  const closed = commit.close();
  await Promise.all([written, closed]);
  expect(notes()).toEqual([1, 2]);
  await expect(note(3)).rejects.toThrow(/closed/);
});

it('close() rejects waiting writes if the file stays locked', async () => {
  const { file, commit, note } = await start({ lockTimeout: 1 });
  const other = await openDatabase(file);
  other.exec('BEGIN IMMEDIATE');
  const written = note(1);
  const closed = commit.close();
  await expect(written).rejects.toThrow(EngineError);
  await closed;
  other.close();
});
