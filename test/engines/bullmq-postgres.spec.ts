import { jest } from '@jest/globals';
import { startServices } from '../../scripts/services/services.mjs';
import { describeEngine } from '../conformance/engine-conformance.js';
import { TestPostgres, type TestServer } from '../support/bullmq.js';

jest.setTimeout(30_000);

const services = await startServices({ redis: false, postgres: true });
const server: TestServer = new TestPostgres(services.postgresUrl);
/** Each run of this file is on its own. */
const run = `t${process.pid}-${Math.trunc(performance.now())}`;

afterEach(() => jest.restoreAllMocks());
afterAll(async () => {
  await server.close();
  await services.stop();
});

describeEngine({
  folder: 'bullmq',
  create: (storage) => server.engine(`${run}-${storage}`),
  clock: 'virtual',
  cannot: [],
  world: (storage) => server.world(`${run}-${storage}`),
  live: (clock) => server.live(clock),
});
