import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServices } from '../../../scripts/services/services.mjs';
import { compileFixtures, runFixture } from '../../support/fixtures.js';
import { ownDatabase } from '../support/own-database.js';
import { RUN } from './recipe-cases.js';

const here = dirname(fileURLToPath(import.meta.url));
const services = await startServices({ redis: false });
afterAll(() => services.stop());

// In a process of its own: nestjs-cls is CommonJS, which Jest cannot load with Nest 12.
it('the recipe for @nestjs-cls/transactional makes the order and its job, or neither', async () => {
  compileFixtures(join(here, '../../../sample-app/transactions'), 'recipes');
  const driver = join(compileFixtures(join(here, 'fixtures'), 'recipes-driver'), 'transactional.js');
  const { url, remove } = await ownDatabase('postgres', services.postgresUrl);
  await RUN.postgres(url, 'CREATE TABLE orders (id varchar(100) PRIMARY KEY)');
  try {
    expect(await runFixture(driver, [url], ['--no-warnings'])).toEqual({
      kept: 'receipt of kept',
      error: 'failed on purpose',
      undone: null,
      relayed: 0,
      outside: 'receipt of outside',
      sent: ['kept', 'outside'],
    });
    expect(await RUN.postgres(url, 'SELECT id FROM orders')).toEqual([{ id: 'kept' }]);
  } finally {
    await remove();
  }
});
