import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, PayloadError } from '../../lib/index.js';
import { openDatabaseFile } from '../../lib/engine/sqlite/file/database-file.js';
import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { resolveSqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { Beds } from '../conformance/engine-under-test.js';
import { DRIVER, sqliteEngine, tempFile } from '../support/sqlite.js';
import { newJob, openStore, query, submit, submitMany } from './stores.js';

const beds = new Beds({
  folder: 'sqlite',
  create: (storage) => sqliteEngine({ file: tempFile(`faults-${storage}`), lockTimeout: 50 }),
  clock: 'virtual',
  cannot: [],
});
afterEach(() => beds.closeAll());

const raw = async (file: string): Promise<SqliteDatabase> => (await loadDriver(DRIVER)).open(file);

async function rejection(file: string): Promise<string> {
  const opened = openDatabaseFile(resolveSqliteOptions({ file, driver: DRIVER, lockTimeout: 20 }));
  const error: unknown = await opened.then(
    (database) => database.close(),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EngineError);
  return (error as Error).message;
}

describe('an unusable file is rejected at the start, with advice', () => {
  it('the folder is missing', async () => {
    expect(await rejection(join(tempFile(), 'nowhere/tasks.db'))).toMatch(/folder does not exist.*mkdir -p/);
  });

  it('the path is a folder', async () => {
    const file = tempFile();
    mkdirSync(file);
    expect(await rejection(file)).toMatch(/cannot be opened/);
    rmSync(file, { recursive: true });
  });

  it('the file is not a database', async () => {
    const file = tempFile();
    writeFileSync(file, 'some text that is longer than the header of a database'.repeat(20));
    expect(await rejection(file)).toMatch(/damaged, or is not an SQLite database.*backup or a new file/);
  });

  it("the file is another program's database", async () => {
    const file = tempFile();
    const other = await raw(file);
    other.exec('CREATE TABLE accounts (id INTEGER PRIMARY KEY)');
    other.close();
    expect(await rejection(file)).toMatch(/another program's database.*its own file/);
  });

  it('the file was written by a newer version', async () => {
    const file = tempFile();
    const { store } = await openStore({ file });
    await store.close();
    const newer = await raw(file);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    expect(await rejection(file)).toMatch(/newer version of Flowrra: its schema is 99/);
  });

  it('another program holds the file locked', async () => {
    const file = tempFile();
    const other = await raw(file);
    other.exec('BEGIN EXCLUSIVE');
    expect(await rejection(file)).toMatch(/another program holds the database locked/);
    other.exec('ROLLBACK');
    other.close();
  });

  it('a rejected file leaves no open handle', async () => {
    const file = tempFile();
    const { store } = await openStore({ file });
    await store.close();
    const other = await raw(file);
    const handles = (): number => readdirSync('/proc/self/fd').length;
    other.exec('BEGIN IMMEDIATE');
    const rejected = (): Promise<unknown> => openStore({ file, lockTimeout: 1 });
    await expect(rejected()).rejects.toThrow(/holds the database locked/);
    const before = handles();
    for (let round = 0; round < 5; round++) await expect(rejected()).rejects.toThrow(EngineError);
    expect(handles()).toBe(before);
    other.close();
  });
});

describe('a damaged file is reported', () => {
  /** Damages a file from a page on. Resolves with the file and the id of a job on a damaged page. */
  async function damaged(fromPage: number): Promise<{ file: string; taskId: string }> {
    const file = tempFile();
    const opened = await openStore({ file });
    const ids = await submitMany(
      opened,
      Array.from({ length: 2_000 }, (_, n) => newJob({ args: [n] })),
    );
    await opened.store.close();
    const bytes = readFileSync(file);
    bytes.fill(0xa5, 4_096 * (fromPage - 1));
    writeFileSync(file, bytes);
    return { file, taskId: ids.at(-1) as string };
  }

  it('at the start, if the start needs the damaged pages', async () => {
    await expect(openStore({ file: (await damaged(2)).file })).rejects.toThrow(
      /damaged.*backup or a new file/,
    );
  });

  it('by submissions, none of which hangs', async () => {
    const { store } = await openStore({ file: (await damaged(20)).file });
    await expect(store.insert(newJob(), 0)).rejects.toThrow(EngineError);
    await expect(store.insert(newJob(), 0)).rejects.toThrow(/damaged/);
  });

  it('by queries and cancellations', async () => {
    const { file, taskId } = await damaged(30);
    const { results, control } = (await openStore({ file })).store;
    for (const ask of [
      async () => results.get(taskId),
      async () => results.waitFor(taskId),
      async () => control.job(taskId),
      async () => control.find(query()),
      async () => control.cancel(taskId, 'no more'),
    ]) {
      const error: unknown = await ask().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(EngineError);
      expect((error as Error).message).toMatch(/\.db: the file is damaged.*backup or a new file/);
    }
  });
});

it('while another program holds the file locked, submit rejects in bounded time and outcomes are stored later', async () => {
  const { flowrra, storage, advance } = await beds.start([]);
  const file = tempFile(`faults-${storage}`);
  let finish!: (value: string) => void;
  flowrra.register({ name: 'hold' }, () => new Promise((resolve) => (finish = resolve)));
  const running = await flowrra.submit('hold');
  await advance(0);
  const other = await raw(file);
  other.exec('BEGIN IMMEDIATE');
  const rejected = flowrra.submit('hold');
  finish('not lost');
  await expect(rejected).rejects.toThrow(/holds the database locked/);
  expect(await flowrra.pendingCount()).toBe(0);
  other.exec('COMMIT');
  other.close();
  const waiting = flowrra.waitForResult(running);
  await advance(10_000);
  expect(await waiting).toMatchObject({ status: 'success', result: 'not lost' });
  expect(await flowrra.pendingCount()).toBe(0);
});

it.each([
  ['the file', '', /removed or replaced.*Put it back/],
  ['the log', '-wal', /-wal has been removed or replaced.*Stop all processes/],
])(
  '%s is removed while it is in use: further writes are rejected, since a crash would lose them',
  async (_, part, message) => {
    const file = tempFile();
    const worker = await openStore({ file, lease: 10_000 });
    await submit(worker);
    rmSync(`${file}${part}`);
    // The files are checked every second of real time.
    let accepted = 1;
    const rejection = async (): Promise<unknown> => {
      for (; ; accepted++) {
        try {
          await submit(worker);
        } catch (error) {
          return error;
        }
      }
    };
    expect(await rejection()).toMatchObject({ message: expect.stringMatching(message) });
    if (part === '') return;
    // The accepted jobs have been copied from the log to the file.
    copyFileSync(file, `${file}-after-a-crash`);
    const { store } = await openStore({ file: `${file}-after-a-crash` });
    expect(store.pendingCount()).toBe(accepted);
  },
);

describe('rows that another program has written', () => {
  it.each([
    ['args', 'no JSON at all'],
    ['args', '[{"$type":"Hologram","value":1}]'],
    ['args', '5'],
    ['args', '{"$type":"string","value":"x"}'],
    ['overrides', '{'],
    ['overrides', '5'],
    ['overrides', '{"maxRetries":"many"}'],
    ['metadata', '{'],
    ['metadata', '5'],
    ['metadata', '{"$type":"string","value":"x"}'],
    ['errors', 'null and void'],
  ])('unreadable %s fail only their own job, with a clear error: %s', async (column, text) => {
    const { flowrra, storage, advance } = await beds.start([]);
    flowrra.register({ name: 'echo' }, (value: unknown) => value);
    const bad = await flowrra.with({ delay: 10 }).submit('echo', 1);
    const good = await flowrra.with({ delay: 20 }).submit('echo', 2);
    const other = await raw(tempFile(`faults-${storage}`));
    other.prepare(`UPDATE jobs SET ${column} = ? WHERE task_id = ?`).run(text, bad);
    other.close();
    const shown = JSON.parse(JSON.stringify((await flowrra.jobs.find()).jobs)) as unknown[];
    expect(shown).toHaveLength(2);
    const details = JSON.parse(JSON.stringify(await flowrra.jobs.get(bad))) as object;
    if (column !== 'overrides') expect(details).toMatchObject({ unreadable: [column] });
    await advance(1_000);
    expect(await flowrra.getResult(bad)).toMatchObject({
      status: 'failed',
      errors: [{ name: PayloadError.name }],
    });
    expect(await flowrra.getResult(good)).toMatchObject({ status: 'success', result: 2 });
  });

  it.each(['5', '[null]', '[{"attempt":1,"name":"E","message":"m","code":null,"stack":null,"at":1e300}]'])(
    'malformed errors do not affect the job: %s',
    async (text) => {
      const { flowrra, storage, advance } = await beds.start([]);
      flowrra.register({ name: 'echo', maxRetries: 0 }, () => {
        throw new Error('as expected');
      });
      const bad = await flowrra.with({ delay: 10 }).submit('echo', 1);
      const other = await raw(tempFile(`faults-${storage}`));
      const set = 'UPDATE jobs SET errors = ?, submitted_at = 9223372036854775 WHERE task_id = ?';
      other.prepare(set).run(text, bad);
      other.close();
      const [job] = (await flowrra.jobs.find()).jobs;
      expect(JSON.parse(JSON.stringify(job))).toMatchObject({ unreadable: ['submittedAt', 'errors'] });
      await advance(1_000);
      expect(await flowrra.getResult(bad)).toMatchObject({
        status: 'failed',
        errors: [{ message: 'as expected' }],
      });
    },
  );

  it('deleted large arguments fail only their own job', async () => {
    const { flowrra, storage, advance } = await beds.start([]);
    flowrra.register({ name: 'length' }, (value: string) => value.length);
    const big = 'x'.repeat(100_000);
    const bad = await flowrra.with({ delay: 10 }).submit('length', big);
    const good = await flowrra.with({ delay: 20 }).submit('length', big);
    const other = await raw(tempFile(`faults-${storage}`));
    other.exec('DELETE FROM large_args WHERE job = (SELECT min(job) FROM large_args)');
    other.close();
    await advance(1_000);
    expect((await flowrra.getResult(bad))?.error).toMatch(/PayloadError.*no arguments/);
    expect(await flowrra.getResult(good)).toMatchObject({ result: 100_000 });
  });
});

it('a delay beyond the range of dates does not affect other jobs', async () => {
  const { flowrra, advance } = await beds.start([]);
  flowrra.register({ name: 'echo' }, (value: unknown) => value);
  await flowrra.with({ delay: Number.MAX_SAFE_INTEGER }).submit('echo', 'never');
  for (let n = 0; n < 3; n++) {
    const id = await flowrra.submit('echo', n);
    expect((await flowrra.waitForResult(id)).result).toBe(n);
    await advance(1_000);
  }
});

it('an unreadable result rejects only the waits for its own job', async () => {
  const { flowrra, storage } = await beds.start([], { role: 'producer', remoteTasks: { echo: {} } });
  const [bad, good] = (await flowrra.submitMany('echo', [[1], [2]])) as [string, string];
  const waiting = [flowrra.waitForResult(bad), flowrra.waitForResult(good)] as const;
  const other = await raw(tempFile(`faults-${storage}`));
  for (const [id, result] of [
    [bad, 'no JSON'],
    [good, '2'],
  ] as const)
    other
      .prepare(
        `UPDATE jobs SET status = 'success', place = NULL, result = ?, finished_at = 1700000000000, finish_order = 100 + id
         WHERE task_id = ?`,
      )
      .run(result, id);
  other.exec(`UPDATE numbers SET value = 200 WHERE name = 'last'`);
  other.close();
  await expect(waiting[0]).rejects.toThrow(PayloadError);
  expect(await waiting[1]).toMatchObject({ result: 2 });
});

it('a wait starts to watch before it reads the row, so that no result is missed in between', async () => {
  const file = tempFile();
  const opened = await openStore({ file, pollInterval: 1 });
  const { store, clock } = opened;
  const id = await submit(opened);
  const other = await raw(file);
  const finish = other.prepare(
    `UPDATE jobs SET status = 'success', place = NULL, result = '7', finished_at = ?, finish_order = ? WHERE task_id = ?`,
  );
  const number = other.prepare(`UPDATE numbers SET value = value + 1 WHERE name = 'last'`);
  const { reads } = (store as unknown as { file: { reads: { find(id: string): unknown } } }).file;
  const find = reads.find.bind(reads);
  // Another process finishes the job just after its row has been read.
  reads.find = (taskId) => {
    const row = find(taskId);
    number.run();
    finish.run(clock.now(), 2, id);
    return row;
  };
  const waiting = store.results.waitFor(id);
  reads.find = find;
  expect(await waiting).toMatchObject({ result: 7 });
  other.close();
});

it('close() waits for a long write of another store in the same process without blocking it', async () => {
  const file = tempFile();
  const long = await openStore({ file });
  const brief = await openStore({ file });
  const many = long.store.insertMany(
    Array.from({ length: 20_000 }, () => newJob()),
    0,
  );
  await new Promise((resolve) => setImmediate(resolve));
  const one = brief.store.insert(newJob(), 0);
  await Promise.all([one, brief.store.close()]);
  expect(await many).toHaveLength(20_000);
});
