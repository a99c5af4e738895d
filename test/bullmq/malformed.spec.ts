import { Injectable, Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { type FlowrraService, type JobDetails, Task, TaskContext, TaskCtx } from '../../lib/index.js';
import { until } from '../support/until.js';
import { place, startOn } from './apps.js';
import { onBoth } from './on-both.js';

@Injectable()
class Echo {
  ran = 0;

  @Task({ maxRetries: 0 })
  echo(value: unknown): unknown {
    this.ran++;
    return value;
  }

  @Task({ maxRetries: 0 })
  metadata(@TaskCtx() { metadata }: TaskContext): unknown {
    return metadata;
  }
}

const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

async function ended(flowrra: FlowrraService, taskId: string): Promise<JobDetails> {
  for (;;) {
    const job = await flowrra.jobs.get(taskId);
    if (job !== null && (job.status === 'failed' || job.status === 'success')) return job;
  }
}

await onBoth((server) => {
  /** An application with a paused queue, and that queue as another program sees it. */
  async function paused() {
    const prefix = place();
    const app = await startOn({ connection: server.url, prefix, lease: '1s' }, Echo, { numWorkers: 1 });
    await app.flowrra.queues.pause('default');
    return { ...app, prefix, queue: server.queue(prefix, 'default') };
  }

  const add = async (queue: Queue, data: unknown, name = 'Echo.echo'): Promise<string> =>
    (await queue.add(name, data)).id as string;

  it.each([
    [{ $type: 'string', value: 'x' }],
    [{ $type: 'Map', value: [] }],
    [{ $type: 'nonsense' }],
    [[1]],
    ['text'],
    [5],
    [null],
  ])('metadata %j of another program breaks no list, and fails its own job', async (metadata) => {
    const { flowrra, queue } = await paused();
    const bad = await add(queue, { args: [1], metadata });
    const good = await flowrra.with({ metadata: { by: 'ada' } }).submit('Echo.metadata');
    const { jobs } = await flowrra.jobs.find();
    expect(jobs.map(({ taskId, unreadable }) => [taskId, unreadable]).sort()).toEqual(
      [
        [bad, ['metadata']],
        [good, []],
      ].sort(),
    );
    const job = await flowrra.jobs.get(bad);
    expect(job).toMatchObject({ args: [1], metadata: {}, unreadable: ['metadata'], taskName: 'Echo.echo' });
    expect(JSON.parse(JSON.stringify(job))).toMatchObject({ metadata: {}, unreadable: ['metadata'] });
    await flowrra.queues.resume('default');
    expect((await flowrra.waitForResult(good)).result).toEqual({ by: 'ada' });
    expect(await flowrra.waitForResult(bad)).toMatchObject({ status: 'failed', retries: 0 });
  });

  it('fields that another program has written and that cannot be read are left out and named, and the rest is shown', async () => {
    const { flowrra, queue } = await paused();
    const odd = await add(queue, {
      args: [{ $type: 'bigint', value: 'x' }],
      errors: [{ attempt: 1, name: 'E', message: 'm', code: null, stack: null, at: 1e300 }],
      metadata: { fine: true },
    });
    await (await queue.getJob(odd))?.updateProgress({ $type: 'nonsense' });
    const job = await flowrra.jobs.get(odd);
    expect(job).toMatchObject({ args: null, errors: [], progress: null, metadata: { fine: true } });
    expect([...(job as JobDetails).unreadable].sort()).toEqual(['args', 'errors', 'progress']);
    expect(JSON.parse(JSON.stringify((await flowrra.jobs.find()).jobs))).toHaveLength(1);
    await flowrra.queues.resume('default');
    expect(await flowrra.waitForResult(odd)).toMatchObject({ status: 'failed' });
  });

  it('a job with invalid rules for its result ends, and its worker goes on', async () => {
    const { flowrra, queue } = await paused();
    const rule = { age: 'x', count: -0.5 } as never;
    const odd = await queue.add('Echo.echo', { args: [1] }, { removeOnComplete: rule, removeOnFail: rule });
    await flowrra.queues.resume('default');
    expect(await flowrra.waitForResult(odd.id as string)).toMatchObject({ status: 'success', result: 1 });
  });

  it('an unreadable result is an error for queries of that result, and for no other query', async () => {
    const { flowrra, queue, prefix } = await paused();
    const id = await add(queue, { args: [1] }, 'elsewhere');
    const other = await startOn({ connection: server.url, prefix }, Echo, { queues: { default: {} } });
    other.flowrra.register({ name: 'elsewhere' }, () => 1);
    await flowrra.queues.resume('default');
    await ended(flowrra, id);
    if (server.url.startsWith('redis')) {
      const client = new Redis(server.url);
      await client.hset(`${prefix}:default:${id}`, 'returnvalue', '{"$type":"nonsense"}');
      client.disconnect();
      await expect(flowrra.getResult(id)).rejects.toThrow(/did not write this stored value/);
      await expect(flowrra.waitForResult(id)).rejects.toThrow(/did not write this stored value/);
      expect((await flowrra.jobs.find()).jobs).toMatchObject([{ result: null, unreadable: ['result'] }]);
    }
  });

  it('jobs with invalid task names fail, and no log line contains such a name unescaped', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const { flowrra, queue } = await paused();
    const bad = [
      await add(queue, { args: [1] }, 'x'.repeat(100_000)),
      await add(queue, { args: [1] }, 'a\nERROR [Flowrra] forged'),
    ];
    const waiting = await add(queue, { args: [1] }, 'un\u2028known\u202e');
    await flowrra.queues.resume('default');
    for (const id of bad)
      expect(await flowrra.waitForResult(id)).toMatchObject({
        status: 'failed',
        error: expect.stringMatching(/taskName: '.{1,120}' is not a task name/),
      });
    while (warned.mock.calls.length === 0) await flowrra.getResult(waiting);
    // The warning comes before the outcome is stored.
    await until(async () => (await flowrra.getResult(waiting))?.status === 'pending', {
      describe: 'the unknown task waits again',
    });
    const lines = warned.mock.calls.map(([line]) => String(line));
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]|x{100}/u);
    expect(lines.join()).toContain('un\\u{2028}known\\u{202e}');
    warned.mockRestore();
  });

  if (!server.url.startsWith('redis')) return;

  describe('a hash that BullMQ cannot read', () => {
    const client = new Redis(server.url, { lazyConnect: true });
    afterAll(() => client.disconnect());

    it.each([
      ['data', '{"args":[1', ['args', 'metadata']],
      ['data', DEEP, []],
      ['opts', 'nonsense', ['options']],
      ['opts', 'null', ['options']],
      ['progress', '{', ['progress']],
      ['parent', '{', ['parent']],
      ['timestamp', 'yesterday', ['submittedAt']],
      ['atm', 'many', ['retries']],
      ['ats', 'many', ['retries']],
      ['name', null, ['taskName']],
    ])(
      'by its %s, %.20j, is shown as far as it is readable, fails without a retry, and takes no place',
      async (...of) => {
        const [field, text, unreadable] = of;
        const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
        const { flowrra, queue, prefix } = await paused();
        const bad = await add(queue, { args: [1] });
        const key = `${prefix}:default:${bad}`;
        if (text === null) await client.hdel(key, field);
        else await client.hset(key, field, text);
        const good = await flowrra.submit('Echo.echo', 2);
        const { jobs } = await flowrra.jobs.find();
        expect(jobs.map(({ taskId }) => taskId).sort()).toEqual([bad, good].sort());
        const found = jobs.find(({ taskId }) => taskId === bad);
        if (field !== 'ats') expect(found?.unreadable).toEqual(expect.arrayContaining(unreadable));
        expect(JSON.parse(JSON.stringify(await flowrra.jobs.get(bad)))).toMatchObject({ taskId: bad });
        await flowrra.queues.resume('default');
        expect((await flowrra.waitForResult(good)).result).toBe(2);
        const job = await ended(flowrra, bad);
        expect(JSON.parse(JSON.stringify(job))).toMatchObject({ taskId: bad });
        if (text !== DEEP) {
          expect(job.status).toBe('failed');
          expect(job.error).toMatch(/cannot be read|not a task name/);
        }
        const counts = await flowrra.jobs.counts();
        expect(counts.find((one) => one.queue === 'default')).toMatchObject({ pending: 0, running: 0 });
        logged.mockRestore();
      },
    );

    it('a key that is no hash breaks no list', async () => {
      const { flowrra, prefix } = await paused();
      await client.set(`${prefix}:default:odd`, 'text');
      await client.lpush(`${prefix}:default:wait`, 'odd');
      const good = await flowrra.submit('Echo.echo', 2);
      const { jobs } = await flowrra.jobs.find();
      expect(jobs.map(({ taskId }) => taskId).sort()).toEqual([good, 'odd'].sort());
      expect(await flowrra.jobs.get('odd')).toMatchObject({ args: null, taskName: '' });
    });
  });
});
