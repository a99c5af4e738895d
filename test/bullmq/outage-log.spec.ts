import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import type { BullServer } from '../../lib/engine/bullmq/server/bull-server.js';
import { messageOf, OutageLog } from '../../lib/engine/bullmq/server/outage-log.js';

const said: string[] = [];
let now = 0;

beforeEach(() => {
  said.length = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  for (const level of ['error', 'log'] as const)
    jest.spyOn(Logger.prototype, level).mockImplementation((line) => void said.push(String(line)));
});
afterEach(() => jest.restoreAllMocks());

function setUp(): OutageLog {
  const server: Partial<BullServer> = {
    name: 'Server',
    isOutage: (error) => (error as Error).message === 'away',
    ping: async () => undefined,
  };
  const log = new OutageLog(server as BullServer);
  log.start();
  return log;
}

it('logs the beginning and the end of an outage once', async () => {
  const log = setUp();
  for (let call = 0; call < 100; call++) log.report(new Error('away'));
  await log.check();
  await log.check();
  expect(said).toEqual([expect.stringMatching(/^Server is unreachable: away\./), 'Server answers again.']);
});

it('logs any other error at once, and then at most once a minute', () => {
  const log = setUp();
  for (let second = 0; second < 150; second++, now += 1_000)
    for (let call = 0; call < 10; call++) log.report(new Error('full'));
  expect(said).toEqual(Array(3).fill('Server: full'));
});

it('logs at most 50 different errors a minute', () => {
  const log = setUp();
  for (let kind = 0; kind < 1_000; kind++) log.report(new Error(`full ${kind}`));
  expect(said).toHaveLength(50);
  now += 60_000;
  log.report(new Error('still full'));
  expect(said).toHaveLength(51);
});

it.each(['MOVED 866 127.0.0.1:7002', "CROSSSLOT Keys in request don't hash to the same slot"])(
  'names a Redis Cluster by its reply: %s',
  (reply) => expect(messageOf(new Error(reply))).toBe(`${reply}. Redis Cluster is not supported`),
);
