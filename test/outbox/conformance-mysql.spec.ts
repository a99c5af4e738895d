import { startServices } from '../../scripts/services/services.mjs';
import { outboxCases } from './conformance.cases.js';
import { LIBRARIES } from './support/libraries.js';

const services = await startServices({ redis: false, postgres: false, mariadb: true });
afterAll(() => services.stop());

const libraries = LIBRARIES.filter(({ dialect }) => dialect === 'mysql');

describe.each(libraries)('the outbox by $library on $dialect', (library) => {
  outboxCases({ library, server: services.mariadbUrl, engine: () => 'memory:' });
});
