import type { Job, JobsOptions, Queue } from 'bullmq';
import pg from 'pg';
import type { AnyWorker, BullServer } from '../../lib/engine/bullmq/server/bull-server.js';
import { resolveBullMqOptions } from '../../lib/engine/bullmq/bullmq-options.js';
import { cancelText } from '../../lib/engine/bullmq/job-mapping.js';
import { PostgresServer } from '../../lib/engine/bullmq/server/postgres-server.js';
import { RedisServer } from '../../lib/engine/bullmq/server/redis-server.js';
import { place } from './apps.js';
import type { BothServer } from './on-both.js';

export const TEXT = cancelText('no longer wanted');
/** No worker of these tests dies: even on a busy machine, none may lose a job. */
const LONG_LEASE = { stalledInterval: 3_600_000, lockDuration: 3_600_000 };
export const KEEP = { age: 3_600, count: 5 };

/** Returns a function that opens a queue for one test, for BullMQ and for the engine. */
export function serverJobsBed({ url, queue: openQueue }: BothServer) {
  let server: BullServer;
  const workers: AnyWorker[] = [];

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.close(true)));
    await server.close();
  });

  return async function setUp(keep = KEEP) {
    const prefix = place();
    const options = resolveBullMqOptions({ connection: url, prefix });
    server = url.startsWith('redis')
      ? new RedisServer(options, () => undefined)
      : new PostgresServer(pg, options, 5, () => undefined);
    await server.connect();
    const queue: Queue = openQueue(prefix, 'q');
    const jobs = server.jobs(keep, () => Date.now());
    const at = (taskId: string) => ({ queue: 'q', taskId });
    const cancel = async (taskId: string, text: string) => (await jobs.cancel(at(taskId), text)).kind;
    const work = (processor: (job: Job) => Promise<unknown>, options: object = {}): AnyWorker => {
      const quick = { drainDelay: 0.05, ...LONG_LEASE, ...options };
      const worker = server.worker('q', processor as never, quick).on('error', () => undefined);
      workers.push(worker);
      return worker;
    };
    const add = async (id: string, options: JobsOptions = {}, data: object = { args: [] }) =>
      (await queue.add('task', data, { jobId: id, ...options })).id;
    /** Fails jobs that were added. */
    const failAll = async (...ids: string[]): Promise<void> => {
      let left = ids.length;
      const worker = work(async (job) => {
        await job.log('a line');
        throw new Error('no');
      });
      const done = new Promise<void>((resolve) => worker.on('failed', () => --left === 0 && resolve()));
      await done;
      await worker.close();
    };
    const states = (...ids: string[]) => Promise.all(ids.map((id) => queue.getJobState(id)));
    return { prefix, queue, jobs, at, cancel, work, add, failAll, states };
  };
}
