import pg from 'pg';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { resolveBullMqOptions } from '../../lib/engine/bullmq/bullmq-options.js';
import { resolveEngine } from '../../lib/engine/resolve-engine.js';
import { configError } from '../support/config-error.js';

const connection = 'redis://localhost:6379';

it('sets every default', () => {
  expect(resolveBullMqOptions({ connection })).toEqual({
    connection,
    prefix: 'flowrra',
    schema: 'bullmq',
    migrate: true,
    whenUnreachable: 'fail',
    submitTimeout: 5_000,
    lease: 30_000,
    maxRescues: 3,
    fleetEvents: false,
    queueOptions: {},
    workerOptions: {},
  });
});

it.each([
  [{}, /connection: undefined.*redis:\/\/localhost/],
  [{ connection: '' }, /connection: ''/],
  [{ connection: 'localhost:6379' }, /connection: 'localhost:6379'/],
  [{ connection: 'mysql://localhost/app' }, /connection: 'mysql:/],
  [{ connection: 7 }, /connection: 7/],
  [{ connection: 'http://u:secret@h' }, /connection: 'http:\/\/u:…@h'/],
  [{ connection: 'redis://:se#cret@h' }, /'redis:\/\/:…@h' .*encode.*# is %23/],
  [{ connection: 'redis://:%zz@h' }, /'redis:\/\/:…@h'/],
  [{ connection: 'redis://h:99999' }, /no valid URL/],
  [{ connection: null }, /connection: null/],
  [{ connection: { connectionString: 'postgres://localhost' } }, /connectionString.*a URL or a pool/],
  [
    { connection: { url: 'postgres://u:secret@h/app' } },
    /connection\.url: 'postgres:\/\/u:…@h.*a pool of pg/,
  ],
  [{ connection: { url: 'localhost' } }, /connection\.url: 'localhost'.*redis:\/\/localhost/],
  [{ connection: { url: 6379 } }, /connection\.url: 6379/],
  [{ connection: new pg.Client() }, /single client of pg.*new Pool/],
  [{ connection: new Map() }, /connection: .*a client of ioredis, or a pool of pg/],
  [
    { connection: { isCluster: true, status: 'ready', duplicate: () => null } },
    /Redis Cluster is not supported/,
  ],
  [{ connection, prefix: 'a:b' }, /prefix: 'a:b'.*colon/],
  [{ connection, prefix: '' }, /prefix: ''/],
  [{ connection, schema: 'a-b' }, /schema: 'a-b'.*letters/],
  [{ connection, schema: 'a"; DROP TABLE x; --' }, /schema/],
  [{ connection, migrate: 'no' }, /migrate: 'no'.*true or false/],
  [{ connection, whenUnreachable: 'waits' }, /whenUnreachable: 'waits'.*Did you mean 'wait'/],
  [{ connection, submitTimeout: 0 }, /submitTimeout: 0.*at least 100 ms/],
  [{ connection, lease: '2d' }, /lease: '2d'.*at most/],
  [{ connection, maxRescues: -1 }, /maxRescues: -1/],
  [{ connection, fleetEvents: 1 }, /fleetEvents: 1/],
  [{ connection, bullmq: [] }, /bullmq\.bullmq/],
  [{ connection, bullmq: { workers: {} } }, /unknown option 'workers'.*Did you mean 'worker'/],
  [{ connection, bullmq: { worker: 5 } }, /bullmq\.worker: 5/],
  [{ connection, bullmq: { worker: { concurrency: 5 } } }, /worker\.concurrency: 5.*numWorkers/],
  [{ connection, bullmq: { worker: { lockDuration: 5 } } }, /worker\.lockDuration: 5.*Use lease/],
  [
    { connection, bullmq: { worker: { limiter: { max: 1, duration: 1 } } } },
    /worker\.limiter.*Use rateLimit or fleetRateLimit/,
  ],
  [{ connection, bullmq: { queue: { prefix: 'x' } } }, /queue\.prefix: 'x'.*Use prefix/],
  [{ connection, leese: 1 }, /unknown option 'leese'.*Did you mean 'lease'/],
  [null, /null/],
  [connection, /'redis:/],
])('rejects %j, naming the option and the allowed values', (options, message) => {
  expect(configError(() => bullmq(options as never))).toMatch(message);
});

it('passes further options to BullMQ', () => {
  const options = { queue: { streams: { events: { maxLen: 50 } } }, worker: { drainDelay: 1 } };
  expect(resolveBullMqOptions({ connection, bullmq: options })).toMatchObject({
    queueOptions: options.queue,
    workerOptions: options.worker,
  });
});

it.each([
  'redis://localhost',
  'rediss://localhost',
  'REDIS://localhost',
  'postgres://u@h/d',
  'postgresql://h/d',
])('is the engine of the URL %s', async (url) => {
  expect((await resolveEngine(url)).name).toBe('bullmq');
});
