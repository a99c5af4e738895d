import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDriver } from '../../lib/engine/sqlite/driver/load-driver.js';
import { migrate } from '../../lib/engine/sqlite/migrations.js';
import { startApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';
import { DRIVER, sqliteEngine, tempFile } from '../support/sqlite.js';

const here = dirname(fileURLToPath(import.meta.url));
const id = (row: number): string => `s00tag00000000${row}${'A'.repeat(23)}`;

it('what a file of the first schema holds is read and run as it was meant', async () => {
  const file = tempFile();
  const database = (await loadDriver(DRIVER)).open(file);
  migrate(database, file);
  database.exec(readFileSync(join(here, 'schema-1.sql'), 'utf8'));
  database.close();

  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ engine: sqliteEngine({ file }), clock });
  flowrra.register({ name: 'echo' }, (value: unknown) => value);
  flowrra.register({ name: 'length' }, (text: string) => text.length);
  flowrra.register({ name: 'fails' }, () => {
    throw new RangeError('second');
  });
  expect(await flowrra.getResult(id(5))).toMatchObject({ result: new Map([['k', new Set([1, 2])]]) });
  await clock.advance(120_000);
  expect((await flowrra.waitForResult(id(1))).result).toEqual({
    when: new Date('2030-01-01'),
    big: 12n,
    none: undefined,
  });
  expect((await flowrra.waitForResult('order-17')).result).toBe('later');
  expect(await flowrra.waitForResult(id(3))).toMatchObject({
    status: 'failed',
    retries: 1,
    errors: [{ message: 'first' }, { message: 'second' }],
  });
  expect((await flowrra.waitForResult(id(4))).result).toBe('a long text'.length);
  expect(await flowrra.pendingCount()).toBe(0);
  await app.close();
});
