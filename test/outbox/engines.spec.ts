import { bullmq } from '../../lib/engine/bullmq/index.js';
import type { Engine } from '../../lib/index.js';
import { startServices } from '../../scripts/services/services.mjs';
import { sqliteEngine } from '../support/sqlite.js';
import { outboxCases } from './conformance.cases.js';
import { LIBRARIES } from './support/libraries.js';

const services = await startServices({ mariadb: true });
afterAll(() => services.stop());

let storages = 0;
const onServer = (connection: string): Engine =>
  bullmq({
    connection,
    prefix: `outbox${process.pid}x${storages++}`,
    bullmq: { worker: { drainDelay: 0.01 } },
  });

const ENGINES: readonly [string, () => Engine | string][] = [
  ['memory', () => 'memory:'],
  ['SQLite', () => sqliteEngine()],
  ['Redis', () => onServer(services.redisUrl)],
  ['PostgreSQL', () => onServer(services.postgresUrl)],
];
const SERVERS = { postgres: services.postgresUrl, mysql: services.mariadbUrl, sqlite: undefined };
const libraries = LIBRARIES.filter(({ library }) => ['pg', 'mysql2', 'better-sqlite3'].includes(library));

describe.each(libraries)('the outbox by $library', (library) => {
  describe.each(ENGINES)('before the engine %s', (_name, engine) => {
    outboxCases({ library, server: SERVERS[library.dialect], engine });
  });
});
