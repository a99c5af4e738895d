import { jest } from '@jest/globals';
import { BullQueues } from '../../lib/engine/bullmq/server/bull-queues.js';
import { PostgresServer } from '../../lib/engine/bullmq/server/postgres-server.js';
import { RedisServer } from '../../lib/engine/bullmq/server/redis-server.js';
import { Gate } from '../support/gate.js';
import { place, startOn, Work } from './apps.js';
import { onBoth } from './on-both.js';

afterEach(() => jest.restoreAllMocks());

await onBoth(({ url }) => {
  async function start() {
    const app = await startOn({ connection: url, prefix: place() }, Work, { queues: { side: {} } });
    const gate = new Gate<string>();
    app.flowrra.register({ name: 'hold', queue: 'side' }, () => gate.passed);
    return { ...app, gate };
  }

  it('many waits for one job cause no more reads than one', async () => {
    const { flowrra, gate } = await start();
    const taskId = await flowrra.submit('hold');
    const reads = jest.spyOn(BullQueues.prototype, 'find');
    const waits = Array.from({ length: 500 }, () => flowrra.waitForResult(taskId));
    gate.open('done');
    for (const { result } of await Promise.all(waits)) expect(result).toBe('done');
    expect(reads.mock.calls.length).toBeLessThan(100);
  });

  it('a wait for a job listens to the queue of the job, whatever its id, and to no other', async () => {
    const { flowrra, gate } = await start();
    const listened = [PostgresServer, RedisServer].map(({ prototype }) => jest.spyOn(prototype, 'events'));
    await flowrra.with({ taskId: 'mine' }).submit('hold');
    const waiting = flowrra.waitForResult('mine');
    const queues = (): unknown[] => listened.flatMap((spy) => spy.mock.calls);
    while (queues().length === 0) await new Promise(setImmediate);
    gate.open('done');
    expect((await waiting).result).toBe('done');
    expect(queues()).toEqual([['side']]);
  });
});
