import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import type { BullServer } from '../../lib/engine/bullmq/server/bull-server.js';
import { messageOf, Trouble } from '../../lib/engine/bullmq/server/outage-log.js';

const said: string[] = [];
let now = 0;

beforeEach(() => {
  said.length = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  for (const level of ['error', 'log'] as const)
    jest.spyOn(Logger.prototype, level).mockImplementation((line) => void said.push(String(line)));
});
afterEach(() => jest.restoreAllMocks());

function setUp(): Trouble {
  const server: Partial<BullServer> = {
    name: 'Server',
    isOutage: (error) => (error as Error).message === 'away',
    ping: async () => undefined,
  };
  const trouble = new Trouble(() => server as BullServer);
  trouble.start();
  return trouble;
}

it('tells of an outage and of its end once', async () => {
  const trouble = setUp();
  for (let call = 0; call < 100; call++) trouble.report(new Error('away'));
  await trouble.look();
  await trouble.look();
  expect(said).toEqual([expect.stringMatching(/^Server is out of reach: away\./), 'Server answers again.']);
});

it('tells of an error of another kind at once, and once a minute for as long as it lasts', () => {
  const trouble = setUp();
  for (let second = 0; second < 150; second++, now += 1_000)
    for (let call = 0; call < 10; call++) trouble.report(new Error('full'));
  expect(said).toEqual(Array(3).fill('Server: full'));
});

it('tells of no more than some kinds of errors in that time', () => {
  const trouble = setUp();
  for (let kind = 0; kind < 1_000; kind++) trouble.report(new Error(`full ${kind}`));
  expect(said).toHaveLength(50);
  now += 60_000;
  trouble.report(new Error('still full'));
  expect(said).toHaveLength(51);
});

it.each(['MOVED 866 127.0.0.1:7002', "CROSSSLOT Keys in request don't hash to the same slot"])(
  'names a Redis Cluster by its reply: %s',
  (reply) => expect(messageOf(new Error(reply))).toBe(`${reply}. Redis Cluster is not supported`),
);
