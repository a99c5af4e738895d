import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { inspect } from 'node:util';
import { RedisJobs } from '../../lib/engine/bullmq/server/redis-jobs.js';
import { startServices } from '../../scripts/services/services.mjs';
import { RedisServer } from '../../lib/engine/bullmq/server/redis-server.js';
import { until } from '../support/until.js';
import { doubles, place, startOn, Work } from './apps.js';

// Some tests change settings of the server.
const services = await startServices({ postgres: false, own: true });
const url = services.redisUrl;
const admin = new Redis(url);

afterAll(async () => {
  admin.disconnect();
  await services.stop();
});

async function clients(): Promise<number> {
  return ((await admin.client('LIST')) as string).trim().split('\n').length;
}

/** The timers that are started from now on and keep the process alive, with their milliseconds. */
function armedTimeouts(): Map<unknown, number> {
  const armed = new Map<unknown, number>();
  const { setTimeout: arm, clearTimeout: disarm } = globalThis;
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((
    fn: (...args: unknown[]) => void,
    ms = 0,
    ...args: unknown[]
  ) => {
    const timeout = arm(() => {
      armed.delete(timeout);
      fn(...args);
    }, ms);
    armed.set(timeout, ms);
    return timeout;
  }) as typeof setTimeout);
  jest.spyOn(globalThis, 'clearTimeout').mockImplementation((timeout) => {
    armed.delete(timeout);
    disarm(timeout);
  });
  return armed;
}

// This is the first test, so that timers of other applications do not count.
it('leaves nothing behind that keeps the process alive', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const armed = armedTimeouts();
  const { app, flowrra } = await startOn({ connection: url, prefix: place() }, Work);
  expect(await doubles(flowrra, 4)).toBe(8);
  await app.close();
  // ioredis by itself would keep the process alive for 2,000 ms.
  expect([...armed.values()].filter((ms) => ms >= 1_000)).toEqual([]);
  await until(() => timers() <= before, { describe: 'no timer is left' });
  jest.restoreAllMocks();
});

describe('a client of the application', () => {
  it.each([{}, { maxRetriesPerRequest: null }, { enableOfflineQueue: false }])(
    'is a model for further connections (%j), and stays open',
    async (settings) => {
      const given = new Redis(url, settings);
      await new Promise((ready) => given.once('ready', ready));
      const { app, flowrra } = await startOn({ connection: given, prefix: place() }, Work);
      expect(await doubles(flowrra, 4)).toBe(8);
      await app.close();
      expect(await given.ping()).toBe('PONG');
      given.disconnect();
    },
  );

  it('must have no keyPrefix, since BullMQ cannot use it', async () => {
    const given = new Redis(url, { keyPrefix: 'mine:', lazyConnect: true });
    await expect(startOn({ connection: given }, Work)).rejects.toMatchObject({
      code: 'FLOWRRA_CONFIG',
      message: expect.stringMatching(/keyPrefix.*'prefix'/),
    });
  });
});

it('accepts options of ioredis, and of BullMQ', async () => {
  const { hostname: host, port } = new URL(url);
  for (const [db, connection] of [
    [3, { host, port: Number(port), db: 3 }],
    [4, { url, db: 4 }],
  ] as const) {
    const prefix = place();
    const { flowrra } = await startOn({ connection, prefix }, Work);
    expect(await doubles(flowrra, 4)).toBe(8);
    const there = new Redis(url, { db });
    expect(await there.exists(`${prefix}:default:meta`)).toBe(1);
    there.disconnect();
  }
});

it('leaves no connection behind', async () => {
  const before = await clients();
  const { app, flowrra } = await startOn({ connection: url, prefix: place() }, Work);
  expect(await doubles(flowrra, 4)).toBe(8);
  expect(await clients()).toBeGreaterThan(before);
  await app.close();
  await until(async () => (await clients()) <= before, { describe: 'its connections are closed' });
});

it("a wrong password is an error at once, also with whenUnreachable: 'wait'", async () => {
  const wrong = new URL(url);
  wrong.username = 'somebody';
  wrong.password = 'not-to-be-printed';
  const error: unknown = await startOn({ connection: wrong.href, whenUnreachable: 'wait' }, Work).catch(
    (refusal: unknown) => refusal,
  );
  expect(error).toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/WRONGPASS.*waiting does not help/),
  });
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('not-to-be-printed');
});

it('a Redis Cluster is an error at once, which names it', async () => {
  const cluster = await startServices({ postgres: false, own: true, cluster: true });
  await expect(
    startOn({ connection: cluster.redisUrl, whenUnreachable: 'wait' }, Work),
  ).rejects.toMatchObject({
    code: 'FLOWRRA_CONFIG',
    message: expect.stringMatching(/Redis Cluster, which is not supported/),
  });
  await cluster.stop();
});

it('a replica, and a database that does not exist, are errors at once', async () => {
  await expect(startOn({ connection: `${url}/99` }, Work)).rejects.toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/DB index is out of range/),
  });
  await admin.replicaof('127.0.0.1', 1);
  await expect(startOn({ connection: url }, Work)).rejects.toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/replica/),
  });
  await admin.replicaof('NO', 'ONE');
});

it('a server that has become a replica is unreachable until it is none any more, which is logged once', async () => {
  const asked = jest.spyOn(RedisServer.prototype, 'ping');
  const { flowrra } = await startOn({ connection: url, prefix: place() }, Work);
  expect(await doubles(flowrra, 1)).toBe(2);
  const said: string[] = [];
  for (const level of ['error', 'log'] as const)
    jest.spyOn(Logger.prototype, level).mockImplementation((line) => void said.push(String(line)));
  await admin.replicaof('127.0.0.1', 1);
  await expect(flowrra.submit('Work.double', 3)).rejects.toMatchObject({ code: 'FLOWRRA_ENGINE' });
  await until(() => asked.mock.calls.length >= 3, { describe: 'the server has been asked three times' });
  expect(said).toEqual([expect.stringMatching(/^Redis is unreachable: /)]);
  await admin.replicaof('NO', 'ONE');
  await until(() => said.length >= 2, { describe: 'the end of the outage is logged' });
  expect(said[1]).toBe('Redis answers again.');
  expect(await doubles(flowrra, 4)).toBe(8);
  jest.restoreAllMocks();
});

it('a job that a full server rejects is an error, and is not added later', async () => {
  const { flowrra } = await startOn({ connection: url, prefix: place() }, Work);
  expect(await doubles(flowrra, 1)).toBe(2);
  await admin.config('SET', 'maxmemory', '1');
  await expect(flowrra.submit('Work.double', 3)).rejects.toMatchObject({
    code: 'FLOWRRA_ENGINE',
    message: expect.stringMatching(/Redis has rejected the submission: OOM/),
  });
  await expect(flowrra.submitMany('Work.double', [[4], [5]])).rejects.toMatchObject({
    code: 'FLOWRRA_SUBMIT_UNCERTAIN',
    taskIds: [expect.any(String), expect.any(String)],
  });
  await admin.config('SET', 'maxmemory', '0');
  expect(await doubles(flowrra, 6)).toBe(12);
  expect(await flowrra.pendingCount()).toBe(0);
});

it('forgets cancelled jobs that are gone, also if they are never counted', async () => {
  const prefix = place();
  let now = 0;
  const jobs = new RedisJobs(admin, prefix, { age: 60, count: 5 }, () => now);
  for (let n = 0; n < 200; n++) {
    now += 1_000;
    await jobs.noteCancelled({ queue: 'q', taskId: `job${n}` });
  }
  // Jobs noted within the last minute may not have failed yet.
  expect(await admin.zcard(`${prefix}:q:flowrra:cancelled`)).toBeLessThan(70);
});

it('applications with different prefixes do not see each other', async () => {
  const here = await startOn({ connection: url, prefix: place() }, Work, { role: 'producer' });
  const there = await startOn({ connection: url, prefix: place() }, Work);
  const taskId = await here.flowrra.submit('Work.double', 1);
  expect(await there.flowrra.getResult(taskId)).toBeNull();
  expect(await there.flowrra.pendingCount()).toBe(0);
  expect(await here.flowrra.pendingCount()).toBe(1);
});
