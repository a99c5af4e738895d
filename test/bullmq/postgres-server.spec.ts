import pg from 'pg';
import { startServices } from '../../scripts/services/services.mjs';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { FlowrraConfigError, SubmitUncertainError } from '../../lib/index.js';
import { until } from '../support/until.js';
import { doubles, place, startOn, Work } from './apps.js';

const services = await startServices({ redis: false, own: true });
const url = services.postgresUrl;
const admin = new pg.Pool({ connectionString: url });
// A pool counts as ended before its connections are: the server may go first.
admin.on('error', () => undefined);
const role = `limited_${process.pid}`;
const schema = `bare_${process.pid}`;

afterAll(async () => {
  await admin.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await admin.query(`DROP SCHEMA IF EXISTS "${schema}_2" CASCADE`);
  await admin.query(`DROP OWNED BY ${role}`);
  await admin.query(`DROP ROLE ${role}`);
  await admin.end();
  await services.stop();
});
beforeAll(async () => {
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
});

function as(user: string, password: string, database?: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  if (database !== undefined) changed.pathname = `/${database}`;
  return changed.href;
}

describe('the schema', () => {
  it('is created at the start; the error for a role without the right to do so names the right', async () => {
    const limited = { connection: as(role, 'secret'), schema };
    await expect(startOn(limited, Work)).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringMatching(/permission denied.*GRANT CREATE ON DATABASE.*migrate: false/),
    });
  });

  it('can be created by another role, and then needs only the rights to use it', async () => {
    await expect(startOn({ connection: url, schema, migrate: false }, Work)).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringMatching(/has not been set up.*migrate: true/),
    });
    const { app } = await startOn({ connection: url, schema }, Work);
    await app.close();
    const limited = { connection: as(role, 'secret'), schema, migrate: false };
    await expect(startOn(limited, Work)).rejects.toMatchObject({
      message: expect.stringMatching(/permission denied.*USAGE/),
    });
    for (const grant of [
      `USAGE, CREATE ON SCHEMA "${schema}"`,
      `ALL ON ALL TABLES IN SCHEMA "${schema}"`,
      `ALL ON ALL SEQUENCES IN SCHEMA "${schema}"`,
      `EXECUTE ON ALL FUNCTIONS IN SCHEMA "${schema}"`,
    ])
      await admin.query(`GRANT ${grant} TO ${role}`);
    const { flowrra } = await startOn(limited, Work);
    expect(await doubles(flowrra, 21)).toBe(42);
  });

  it('keeps applications apart', async () => {
    const prefix = place();
    const here = await startOn({ connection: url, prefix, schema }, Work, { role: 'producer' });
    const there = await startOn({ connection: url, prefix, schema: `${schema}_2` }, Work);
    const taskId = await here.flowrra.submit('Work.double', 1);
    expect(await there.flowrra.pendingCount()).toBe(0);
    expect(await there.flowrra.getResult(taskId)).toBeNull();
    expect(await here.flowrra.getResult(taskId)).toMatchObject({ status: 'pending' });
  });
});

describe("a connection that can never work is an error at once, also with whenUnreachable: 'wait'", () => {
  it.each([
    [
      'the database',
      () => as(new URL(url).username, new URL(url).password, 'nowhere'),
      /"nowhere" does not exist/,
    ],
    ['the role', () => as('nobody_at_all', 'x'), /nobody_at_all/],
  ])('%s does not exist', async (_what, connection, message) => {
    await expect(startOn({ connection: connection(), whenUnreachable: 'wait' }, Work)).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
  });

  it('the server is too old', async () => {
    const client = {
      query: async () => ({ rows: [{ num: '120005', ver: '12.5' }] }),
      release: () => undefined,
      on: () => undefined,
    };
    const pool = {
      connect: async () => client,
      query: client.query,
      end: async () => undefined,
      options: { max: 50 },
    };
    const old = Object.assign(new pg.Pool(), pool);
    await expect(startOn({ connection: old }, Work)).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringMatching(/version 13 or newer.*12\.5/),
    });
  });
});

it('a URL may contain options for the server', async () => {
  const bounded = new URL(url);
  bounded.searchParams.set('options', '-c application_name=bounded -c statement_timeout=9s');
  const { flowrra } = await startOn({ connection: bounded.href, prefix: place() }, Work);
  expect(await doubles(flowrra, 5)).toBe(10);
  const { rows } = await admin.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'bounded'`);
  expect(rows).not.toEqual([]);
});

it('a server that accepts no connection has not added the job', async () => {
  const { flowrra } = await startOn(
    { connection: as(role, 'secret'), schema, prefix: place(), migrate: false },
    Work,
  );
  expect(await doubles(flowrra, 6)).toBe(12);
  await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
  await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
  let refusal: unknown;
  // The first submission may be the one that notices the end of its connection.
  do refusal = await flowrra.submit('Work.double', 7).catch((error: unknown) => error);
  while (refusal instanceof SubmitUncertainError);
  expect(refusal).toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/is unreachable: too many connections/),
  });
  await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT -1`);
});

describe('a pool of the application', () => {
  const pools: pg.Pool[] = [];
  const pool = (config: pg.PoolConfig): pg.Pool => {
    pools.push(new pg.Pool({ connectionString: url, ...config }));
    return pools.at(-1) as pg.Pool;
  };
  afterEach(async () => {
    for (const each of pools.splice(0)) await each.end();
  });

  it('is used, and stays open', async () => {
    const given = pool({ options: '-c search_path=bullmq', max: 12 });
    const { app, flowrra } = await startOn({ connection: given, prefix: place() }, Work);
    expect(await doubles(flowrra, 4)).toBe(8);
    await app.close();
    expect((await given.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(given.waitingCount).toBe(0);
    // Queries of BullMQ that were sent before the close are answered as well.
    await until(() => given.idleCount === given.totalCount, { describe: 'all connections are idle' });
    expect(given.listenerCount('error')).toBe(0);
  });

  it('must have the schema in its search_path', async () => {
    await expect(startOn({ connection: pool({ max: 12 }) }, Work)).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringMatching(/search_path.*'bullmq'.*search_path=bullmq/),
    });
  });

  it('must be large enough for all queues', async () => {
    const small = pool({ options: '-c search_path=bullmq', max: 5 });
    await expect(startOn({ connection: small }, Work, { queues: { a: {}, b: {} } })).rejects.toThrow(
      FlowrraConfigError,
    );
  });
});

it('an application has one pool for all queues, and leaves no connection behind', async () => {
  const connections = async (): Promise<number> => {
    const { rows } = await admin.query<{ count: string }>(
      `SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    return Number(rows[0]?.count);
  };
  const before = await connections();
  const { app, flowrra } = await startOn({ connection: url, prefix: place() }, Work, {
    queues: { a: {}, b: {}, c: {} },
  });
  expect(await doubles(flowrra, 8)).toBe(16);
  // Five queues: at most a worker and a listener each, and the connections for queries.
  expect((await connections()) - before).toBeLessThanOrEqual(15);
  await app.close();
  await until(async () => (await connections()) <= before, { describe: 'its connections are closed' });
});

it('is loaded for a URL', async () => {
  expect(bullmq({ connection: url }).name).toBe('bullmq');
});
