import { jest } from '@jest/globals';
import { describeEngine } from '../conformance/engine-conformance.js';
import type { TestServer } from '../support/bullmq.js';

/** The conformance suite over BullMQ, on one of its servers. */
export function describeEngineOn(
  server: TestServer,
  { folder, stop }: { folder: string; stop: () => Promise<void> },
): void {
  /** Each run is on its own. */
  const run = `t${process.pid}-${Math.trunc(performance.now())}`;

  afterEach(() => jest.restoreAllMocks());
  afterAll(async () => {
    await server.close();
    await stop();
  });

  describeEngine({
    folder,
    create: (storage) => server.engine(`${run}-${storage}`),
    clock: 'virtual',
    cannot: [],
    world: (storage) => server.world(`${run}-${storage}`),
    live: (clock) => server.live(clock),
    elsewhere: (storage) => ({
      from: 'flowrra/bullmq',
      create: 'bullmq',
      options: { connection: server.connection(), prefix: `${run}-${storage}` },
    }),
  });
}
