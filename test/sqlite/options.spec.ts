import { join } from 'node:path';
import { resolveEngine } from '../../lib/engine/resolve-engine.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { nodeSqlite } from '../../lib/engine/sqlite/file/load-driver.js';
import { sqlite } from '../../lib/engine/sqlite/index.js';
import { fileOfUrl, resolveSqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { configError } from '../support/config-error.js';

it('fills in all defaults', () => {
  expect(resolveSqliteOptions({ file: 'data/tasks.db' })).toEqual({
    file: join(process.cwd(), 'data/tasks.db'),
    durability: 'full',
    lease: 30_000,
    maxRescues: 3,
    pollInterval: 20,
    lockTimeout: 5_000,
    driver: 'auto',
  });
});

it.each([
  [{}, /file: undefined/],
  [{ file: '' }, /file: ''/],
  [{ file: 7 }, /file: 7.*a path/],
  [{ file: ':memory:' }, /engine 'memory:'/],
  [{ file: 'a\0b' }, /file/],
  [{ file: 'x.db', durability: 'ful' }, /durability: 'ful'.*Did you mean 'full'/],
  [{ file: 'x.db', lease: '10ms' }, /lease: '10ms'.*at least 100 ms/],
  [{ file: 'x.db', lease: 'long' }, /lease: 'long'/],
  [{ file: 'x.db', maxRescues: -1 }, /maxRescues: -1/],
  [{ file: 'x.db', pollInterval: 0 }, /pollInterval: 0.*at least 1 ms/],
  [{ file: 'x.db', lockTimeout: NaN }, /lockTimeout: NaN/],
  [{ file: 'x.db', driver: 'sqlite3' }, /driver: 'sqlite3'.*better-sqlite3/],
  [{ file: 'x.db', leese: 1 }, /unknown option 'leese'.*Did you mean 'lease'/],
  [null, /null/],
  ['x.db', /'x\.db'/],
])('rejects %j and says why', (options, message) => {
  expect(configError(() => sqlite(options as never))).toMatch(message);
});

it.each([
  ['sqlite:./data/tasks.db', './data/tasks.db'],
  ['sqlite:tasks.db', 'tasks.db'],
  ['sqlite:/var/lib/app/tasks.db', '/var/lib/app/tasks.db'],
  ['sqlite:///var/lib/app/tasks.db', '/var/lib/app/tasks.db'],
  ['SQLITE:C:\\data\\tasks.db', 'C:\\data\\tasks.db'],
  ['sqlite:100%.db', '100%.db'],
])('reads %s as the file %s', (url, file) => {
  expect(fileOfUrl(url)).toBe(file);
});

it('an engine URL loads the engine, and a URL without a file is rejected', async () => {
  expect(await resolveEngine('sqlite:./tasks.db')).toMatchObject({ name: 'sqlite', durable: true });
  await expect(resolveEngine('sqlite:')).rejects.toThrow(/sqlite file: ''/);
  await expect(resolveEngine('sqlite://tasks.db')).rejects.toThrow(/Write sqlite:\.\/tasks\.db/);
  await expect(resolveEngine('sqlite::memory:')).rejects.toThrow(/engine 'memory:'/);
});

it("uses Node's driver if there is one, otherwise better-sqlite3, and rejects a missing driver", async () => {
  const builtIn = nodeSqlite() !== null;
  if (builtIn) {
    expect((await loadDriver('auto')).name).toBe('node:sqlite');
    expect((await loadDriver('node:sqlite')).name).toBe('node:sqlite');
  } else {
    expect((await loadDriver('auto')).name).toBe('better-sqlite3');
    await expect(loadDriver('node:sqlite')).rejects.toThrow(/22\.13.*npm install better-sqlite3/);
  }
});
