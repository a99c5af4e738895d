import { jest } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { QueuedJob } from '../../lib/engine/bullmq/job-mapping.js';
import { PAGE } from '../../lib/engine/bullmq/server/sql/job-tag.js';
import { place, startOn, Work } from './apps.js';
import { onBoth } from './on-both.js';
import { serverJobsBed } from './server-jobs-bed.js';

const tagged = (jobId: string, tags: readonly string[]): QueuedJob => ({
  queue: 'q',
  name: 'task',
  data: {
    args: [],
    tags,
  },
  tags,
  options: {
    jobId,
    timestamp: Date.now(),
    removeOnComplete: {
      age: 1,
      count: 1,
    },
    removeOnFail: {
      age: 1,
      count: 1,
    },
  },
});

await onBoth((server) => {
  const setUp = serverJobsBed(server);
  const isRedis = server.url.startsWith('redis');

  it('lists the jobs of a tag from the latest on, after any position, also of a job that is gone', async () => {
    const { jobs, add } = await setUp();
    const ids = Array.from({ length: 20 }, (_, n) => `job-${String(n).padStart(2, '0')}`);
    for (const [n, id] of ids.entries()) {
      await jobs.tags.note('q', [tagged(id, ['a'])]);
      await add(id, { delay: 60_000, timestamp: 1_000 + (n >> 2) }, { args: [], tags: ['a'] });
    }
    const first = await jobs.tags.list('q', 'a', null, 8);
    const last = first.at(-1) ?? null;
    expect(await jobs.cancel({ queue: 'q', taskId: last?.taskId as string }, 'Cancelled: no')).toMatchObject({
      kind: 'cancelled',
    });
    expect(await jobs.remove({ queue: 'q', taskId: last?.taskId as string })).toBe(true);
    const rest = await jobs.tags.list('q', 'a', last, 100);
    expect([...first, ...rest].map(({ taskId }) => taskId).sort()).toEqual(ids);
    expect(await jobs.tags.list('q', 'b', null, 100)).toEqual([]);
  });

  if (isRedis)
    it('the number of commands of a page depends on its jobs, and not on the number of other jobs', async () => {
      const engine = { connection: server.url, prefix: place() };
      const { flowrra } = await startOn(engine, Work, {
        role: 'producer',
        remoteTasks: { 'Work.double': {} },
      });
      const submit = (count: number, tags: string[]) =>
        flowrra.with({ delay: '1h', tags }).submitMany('Work.double', Array(count).fill([1]));
      const sent = jest.spyOn(Redis.prototype, 'sendCommand');
      /** The connection sends other commands from time to time, so the least of several pages counts. */
      const commandsOf = async (tag: string, count: number): Promise<number> => {
        const numbers: number[] = [];
        for (let n = 0; n < 5; n++) {
          sent.mockClear();
          expect((await flowrra.jobs.find({ tag, limit: 100 })).jobs).toHaveLength(count);
          numbers.push(sent.mock.calls.length);
        }
        return Math.min(...numbers);
      };
      await submit(10, ['mine']);
      const [none, few] = [await commandsOf('unknown', 0), await commandsOf('mine', 10)];
      await submit(1_000, ['others']);
      await submit(500, []);
      expect([await commandsOf('unknown', 0), await commandsOf('mine', 10)]).toEqual([none, few]);
      expect(none).toBeLessThanOrEqual(2);
      expect(few).toBeLessThanOrEqual(40);
      sent.mockRestore();
    });

  if (isRedis)
    it('keeps no entries of jobs that BullMQ has deleted, or that were never added', async () => {
      const { jobs, prefix, queue, add } = await setUp();
      const client = new Redis(server.url);
      let now = Date.now();
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => now);
      const keys = async (): Promise<number> => (await client.keys(`${prefix}:q:flowrra:tag*`)).length;
      const entries = async (): Promise<number> => client.hlen(`${prefix}:q:flowrra:tags`);
      for (let n = 0; n < 600; n++) {
        now += 1_000;
        await jobs.tags.note('q', [tagged(`job-${n}`, ['all', `only-${n}`])]);
        if (n % 2 === 0) continue;
        await add(`job-${n}`, { delay: 60_000 }, { args: [], tags: ['all', `only-${n}`] });
        // BullMQ knows nothing of tags.
        await (await queue.getJob(`job-${n}`))?.remove();
      }
      expect(await entries()).toBeLessThan(150);
      expect(await keys()).toBeLessThan(155);
      now += 120_000;
      await jobs.tags.sweep('q');
      expect(await entries()).toBe(0);
      expect(await keys()).toBe(0);
      clock.mockRestore();
      client.disconnect();
    });
  else
    it('a page is a search of the index of tags, without a sort', async () => {
      await setUp();
      const pool = new pg.Pool({ connectionString: server.url, options: '-c search_path=bullmq' });
      await pool.query('SET enable_seqscan = off');
      const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN ${PAGE.replace('$1', `'q'`).replace('$2', `'a'`).replace('$3', '5').replace('$4', `'x'`).replace('$5', '10')}`,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/Index (Only )?Scan Backward using flowrra_job_tag_pkey/);
      expect(plan).not.toContain('Sort');
      await pool.end();
    });
});
