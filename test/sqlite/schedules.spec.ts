import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SqliteDatabase } from '../../lib/engine/sqlite/file/driver.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { migrate } from '../../lib/engine/sqlite/file/migrations.js';
import { ScheduleRows } from '../../lib/engine/sqlite/sql/schedule-rows.js';
import { EngineError } from '../../lib/index.js';
import { compileFixtures, lastLine, runProgram } from '../support/fixtures.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { newJob, openStore } from './stores.js';

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'flowrra-schedules-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const raw = async (file: string): Promise<SqliteDatabase> => (await loadDriver(DRIVER)).open(file);

const write = (name: string, values: object = {}) => ({ name, expected: 0, due: 1, body: '{}', ...values });
const many = (count: number) => Array.from({ length: count }, (_, n) => write(`schedule ${n}`, { due: n }));

it('each read searches an index, and none of them sorts', async () => {
  const file = tempFile();
  const { store } = await openStore({ file });
  for (let from = 0; from < 10_000; from += 500)
    await store.schedules.put(many(10_000).slice(from, from + 500));
  const database = await raw(file);
  const plans: string[][] = [];
  const explained: SqliteDatabase = {
    ...database,
    prepare: <R>(sql: string) => {
      const statement = database.prepare<R>(sql);
      const explain = database.prepare<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
      return {
        ...statement,
        all: (...params) => {
          plans.push(explain.all(...params).map(({ detail }) => detail));
          return statement.all(...params);
        },
      };
    },
  };
  const rows = new ScheduleRows(explained);
  for (const analysed of [false, true]) {
    if (analysed) database.exec('ANALYZE');
    expect(rows.earliest(100)).toHaveLength(100);
    expect(rows.after('schedule 5', 100)).toHaveLength(100);
    expect(rows.named(['schedule 7', 'none'])).toHaveLength(1);
    const [earliest, after, named] = plans.splice(0);
    expect(earliest).toEqual([expect.stringMatching(/^(SEARCH|SCAN) schedules USING INDEX schedules_due/)]);
    expect(after).toEqual(['SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name>?)']);
    expect(named?.[0]).toBe('SEARCH schedules USING INDEX sqlite_autoindex_schedules_1 (name=?)');
  }
  database.close();
});

it('a file of the third schema gets the table of schedules', async () => {
  const file = tempFile();
  const database = await raw(file);
  migrate(database, file, 3);
  database.close();
  const { store } = await openStore({ file });
  expect(await store.schedules.put([write('first')])).toEqual([true]);
  expect(store.schedules.earliest(1)).toMatchObject([{ name: 'first', version: 1 }]);
});

it.each([5, 500])('of %d writes in one call, all are made or none', async (count) => {
  const { store, clock } = await openStore({ file: tempFile() });
  // STRICT tables reject a number with a fraction in a column of integers.
  const writes = many(count).map((each, n) => (n === count - 2 ? { ...each, due: 0.5 } : each));
  const job = store.insert(newJob(), clock.now());
  await expect(store.schedules.put(writes)).rejects.toBeInstanceOf(EngineError);
  expect(store.schedules.page('', 500)).toEqual([]);
  // Writes beside them are made.
  expect(typeof (await job)).toBe('string');
  expect(await store.schedules.put(many(count))).toEqual(writes.map(() => true));
});

it('writes that were made before the close are stored, and answered', async () => {
  const file = tempFile();
  const { store } = await openStore({ file });
  const answers = [store.schedules.put(many(500)), store.schedules.put([write('last')])];
  await store.close();
  expect((await Promise.all(answers)).flat()).toEqual(Array.from({ length: 501 }, () => true));
  const again = await openStore({ file });
  expect(again.store.schedules.page('', 1_000)).toHaveLength(501);
});

it('a full disk: put rejects with the cause and has changed nothing, and works once there is room', async () => {
  const fixtures = compileFixtures(join(here, 'fixtures'), `sqlite-schedules-${DRIVER.replace(':', '-')}`);
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const script = 'mount -t tmpfs -o size=3m tmpfs "$1" && exec "$2" --no-warnings "$3" "$1" "$4"';
  const program = [process.execPath, join(fixtures, 'full-disk-schedules.js'), DRIVER];
  const inNamespace = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  const report = lastLine(await runProgram('unshare', [...inNamespace, disk, ...program])) as {
    accepted: number;
    stored: number;
  };
  expect(report).toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/the disk is full. Make room/),
    small: 'FLOWRRA_ENGINE',
    afterwards: [true],
  });
  expect(report.accepted).toBeGreaterThan(1);
  expect(report.stored).toBe(report.accepted * 30);
});
