import { Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startServices } from '../../scripts/services/services.mjs';
import type { AnyJob } from '../../lib/engine/bullmq/server/bull-server.js';
import {
  interceptStoring,
  isLeaseAnswer,
  isLeaseError,
  isStalledText,
  JOURNAL_KEY,
  LeaseEndedError,
  letRetry,
  limitConcurrency,
  StoreAgainError,
} from '../../lib/engine/bullmq/server/bullmq-internals.js';
import { place } from './apps.js';

const services = await startServices();
const client = new Redis(services.redisUrl, { maxRetriesPerRequest: null });
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
afterAll(async () => {
  client.disconnect();
  await services.stop();
});

function setUp() {
  const prefix = place();
  const queue = new Queue('q', { prefix, connection: client });
  open.push(queue);
  const work = (processor: (job: AnyJob) => Promise<unknown>, options: object = {}): Worker => {
    const worker = new Worker('q', (job) => processor(job as AnyJob), {
      prefix,
      connection: client,
      drainDelay: 0.05,
      runRetryDelay: 10,
      ...options,
    });
    worker.on('error', () => undefined);
    open.push(worker);
    return worker;
  };
  return { prefix, queue, work };
}

/** Resolves with the job of the next event. */
function next(worker: Worker, event: 'completed' | 'failed'): Promise<AnyJob> {
  return new Promise((resolve) => worker.once(event as 'completed', (job) => resolve(job as AnyJob)));
}

it('a worker stores the end of a job by the methods moveToCompleted and moveToFailed of the job', async () => {
  const { queue, work } = setUp();
  const calls: unknown[] = [];
  const worker = work(async (job) => {
    interceptStoring(
      job,
      (complete, ...args) => (calls.push(['completed', args[0], typeof args[1]]), complete(...args)),
      (fail, ...args) => (calls.push(['failed', args[0].message, typeof args[1]]), fail(...args)),
    );
    if (job.name === 'fails') throw new UnrecoverableError('no');
    return 7;
  });
  const completed = next(worker, 'completed');
  await queue.add('succeeds', null);
  await completed;
  const failed = next(worker, 'failed');
  await queue.add('fails', null);
  await failed;
  expect(calls).toEqual([
    ['completed', 7, 'string'],
    ['failed', 'no', 'string'],
  ]);
});

it('a worker stores an outcome again after an error that looks like a lost connection', async () => {
  const { queue, work } = setUp();
  let tries = 0;
  const worker = work(async (job) => {
    interceptStoring(
      job,
      async (complete, ...args) => {
        if (++tries < 3) throw new StoreAgainError('not now');
        return complete(...args);
      },
      (fail, ...args) => fail(...args),
    );
    return 7;
  });
  const completed = next(worker, 'completed');
  await queue.add('task', null);
  expect((await completed).returnvalue).toBe(7);
  expect(tries).toBe(3);
});

it("a failed job waits for the delay of the worker's backoffStrategy if the processor allows a retry", async () => {
  const { queue, work } = setUp();
  const worker = work(
    async (job) => {
      letRetry(job);
      throw new Error('no');
    },
    { settings: { backoffStrategy: () => 3_600_000 } },
  );
  const failed = next(worker, 'failed');
  const { id } = await queue.add('task', null);
  await failed;
  expect(await queue.getJobState(id as string)).toBe('delayed');
});

it('an answer about a lease that has ended has a negative code, and its message is known', async () => {
  const { prefix, queue, work } = setUp();
  const answered = new Promise<unknown>((resolve) => {
    work(async (job) => {
      await client.del(`${prefix}:q:${job.id}:lock`);
      interceptStoring(
        job,
        (complete, ...args) =>
          complete(...args).catch((error: unknown) => {
            resolve(error);
            throw error;
          }),
        (fail, ...args) => fail(...args),
      );
    });
  });
  await queue.add('task', null);
  const error = (await answered) as Error;
  expect(isLeaseAnswer(error)).toBe(true);
  expect(isLeaseAnswer(new LeaseEndedError(error.message))).toBe(true);
  expect(isLeaseError(error)).toBe(true);
});

it('a job whose workers died too often fails with a known text', async () => {
  const { prefix, queue, work } = setUp();
  const { id } = await queue.add('task', null);
  const stalled = work(async () => undefined, { autorun: false, maxStalledCount: 0, stalledInterval: 50 });
  const job = `${prefix}:q:${id}`;
  // A job that is active without a lease counts as stalled at the second check.
  await client.lmove(`${prefix}:q:wait`, `${prefix}:q:active`, 'RIGHT', 'LEFT');
  const failed = next(stalled, 'failed');
  void stalled.run();
  await failed;
  expect(isStalledText((await client.hget(job, 'failedReason')) ?? '')).toBe(true);
});

it('a limit of active jobs is the field `concurrency` of the queue', async () => {
  const { prefix, queue } = setUp();
  const meta = (): Promise<(string | null)[]> =>
    client.hmget(`${prefix}:q:meta`, 'concurrency', 'flowrra.concurrency');
  await limitConcurrency(queue, 3);
  expect(await meta()).toEqual(['3', '3']);
  expect(await queue.getGlobalConcurrency()).toBe(3);
  await limitConcurrency(queue, Infinity);
  expect(await meta()).toEqual([null, null]);
});

describe('the storage on which the scripts and statements depend', () => {
  it("on Redis: a job's fields, and the keys of a queue", async () => {
    const { prefix, queue, work } = setUp();
    await queue.add('later', null, { jobId: 'later', delay: 3_600_000, deduplication: { id: 'key' } });
    await queue.add('first', null, { jobId: 'first', priority: 5 });
    expect(await client.get(`${prefix}:q:de:key`)).toBe('later');
    expect(await client.hget(`${prefix}:q:later`, 'deid')).toBe('key');
    expect(Math.floor(Number(await client.zscore(`${prefix}:q:delayed`, 'later')) / 4_096)).toBeGreaterThan(
      Date.now(),
    );
    expect(await client.zscore(`${prefix}:q:prioritized`, 'first')).not.toBeNull();
    const worker = work(async () => {
      throw new UnrecoverableError('no');
    });
    const failed = next(worker, 'failed');
    await failed;
    expect(await client.zscore(`${prefix}:q:failed`, 'first')).not.toBeNull();
    const fields = await client.hkeys(`${prefix}:q:first`);
    const needed = ['name', 'data', 'opts', 'timestamp', 'delay', 'priority', 'processedOn', 'finishedOn'];
    expect(fields).toEqual(expect.arrayContaining([...needed, 'failedReason', 'atm', 'ats']));
  });

  it('on Redis: BullMQ deletes the key of a journal with its job, and leaves alone other jobs', async () => {
    const { prefix, queue, work } = setUp();
    const journal = (id: string): string => `${prefix}:q:${id}${JOURNAL_KEY}`;
    const entries = { 'flowrra.entry:a': '1 1', 'flowrra.journal:posts': '1' };
    for (const id of ['removed', 'kept']) {
      await queue.add('task', null, { jobId: id, delay: 3_600_000 });
      await client.hset(journal(id), entries);
    }
    await (await queue.getJob('removed'))?.remove();
    expect(await client.exists(journal('removed'), journal('kept'))).toBe(1);
    await queue.add('task', null, { jobId: 'ended', removeOnFail: true });
    await client.hset(journal('ended'), entries);
    const failed = next(
      work(async () => {
        throw new UnrecoverableError('no');
      }),
      'failed',
    );
    await failed;
    expect(await client.exists(journal('ended'))).toBe(0);
    expect(await queue.getJobState('kept')).toBe('delayed');
  });

  it('on PostgreSQL: the columns and functions', async () => {
    const { PostgresServer } = await import('../../lib/engine/bullmq/server/postgres-server.js');
    const { resolveBullMqOptions } = await import('../../lib/engine/bullmq/bullmq-options.js');
    const options = resolveBullMqOptions({ connection: services.postgresUrl });
    const server = new PostgresServer(pg, options, 1, () => undefined);
    open.push(server);
    await server.connect();
    const reader = new pg.Client(services.postgresUrl);
    await reader.connect();
    const { rows } = await reader.query<{ name: string }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'bullmq'
       UNION ALL
       SELECT proname || '()' FROM pg_proc JOIN pg_namespace ON pronamespace = pg_namespace.oid WHERE nspname = 'bullmq'`,
    );
    await reader.end();
    const job =
      'queue id state priority seq data opts progress parent_id dedup_id failed_reason deferred_failure stacktrace return_value delay_ms process_at_ms processed_at_ms finished_at_ms attempts_made attempts_started stalled_count lock_token';
    const needed = [
      ...job.split(' ').map((column) => `job.${column}`),
      ...['queue', 'dedup_id', 'job_id', 'expire_at_ms'].map((column) => `dedup.${column}`),
      ...['queue', 'job_id', 'idx', 'row'].map((column) => `job_log.${column}`),
      'publish_event()',
    ];
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(needed));
  });

  it('on PostgreSQL: the functions that add jobs in transactions of the application', async () => {
    const reader = new pg.Client(services.postgresUrl);
    await reader.connect();
    const { rows } = await reader.query<{ name: string; given: string; result: string }>(
      `SELECT proname AS name, pg_get_function_arguments(pg_proc.oid) AS given, pg_get_function_result(pg_proc.oid) AS result
         FROM pg_proc JOIN pg_namespace ON pronamespace = pg_namespace.oid
        WHERE nspname = 'bullmq' AND proname IN ('add_job', 'add_jobs_bulk', 'next_job_id') ORDER BY 1`,
    );
    await reader.end();
    const given =
      'p_queue text, p_id text, p_name text, p_data jsonb, p_opts jsonb, p_priority integer, p_delay bigint, p_timestamp bigint, p_max_attempts integer, p_parent_queue text, p_parent_id text, p_parent_key text, p_dedup_id text, p_scheduler_id text, p_lifo boolean';
    expect(rows).toEqual([
      { name: 'add_job', given, result: 'text' },
      { name: 'add_jobs_bulk', given: 'p_queue text, p_entries jsonb', result: 'SETOF text' },
      { name: 'next_job_id', given: 'p_queue text', result: 'text' },
    ]);
  });
});
