import { type Attempt, Duplicate, type NewJob } from '../../lib/job/job.js';
import type { JobQuery } from '../../lib/job/query.js';
import type { ResolvedQueue } from '../../lib/job/queue.js';
import { resolveSqliteOptions, type SqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { SqliteStore } from '../../lib/engine/sqlite/sqlite-engine.js';
import type { OpenSqliteStore } from '../../lib/engine/sqlite/sqlite-store.js';
import { newJob } from '../support/jobs.js';
import { ManualClock } from '../support/manual-clock.js';
import { DRIVER } from '../support/sqlite.js';

export { newJob } from '../support/jobs.js';

export interface OpenStore {
  readonly store: OpenSqliteStore;
  readonly clock: ManualClock;
  readonly lost: Attempt[];
  /** The `cancelled` events. */
  readonly cancelled: { attempt: Attempt; reason: string }[];
  /** The jobs of the `ended` events. */
  readonly ended: string[];
  /** The number of `changed` events. */
  changes: number;
}

const open: OpenStore[] = [];

/** Opens a worker's store on a file, with its own clock. A worker whose clock stands still counts as dead. */
export async function openStore(
  options: Partial<SqliteOptions> & { file: string },
  limits: { resultTtl?: number; maxResults?: number } = {},
  now?: number,
  queue: Partial<ResolvedQueue> = {},
): Promise<OpenStore> {
  const clock = new ManualClock();
  if (now !== undefined) clock.jump(now - clock.now());
  const events: Omit<OpenStore, 'store' | 'clock'> = { lost: [], cancelled: [], ended: [], changes: 0 };
  const store = await new SqliteStore(resolveSqliteOptions({ driver: DRIVER, ...options })).open({
    clock,
    retention: { resultTtl: 3_600_000, maxResults: 100_000, ...limits },
    queues: [
      {
        name: 'q',
        concurrency: 4,
        fleetConcurrency: Infinity,
        rateLimit: null,
        fleetRateLimit: null,
        ...queue,
      },
    ],
    notify: (event) => {
      if (event.type === 'changed') events.changes++;
      else if (event.type === 'lost') events.lost.push(event.attempt);
      else if (event.type === 'ended') events.ended.push(event.row.taskId);
      else events.cancelled.push({ attempt: event.attempt, reason: event.reason });
    },
  });
  const opened: OpenStore = Object.assign(events, { store, clock });
  open.push(opened);
  return opened;
}

/** Submits a job and returns its id. Throws if the job is a duplicate. */
export async function submit({ store, clock }: OpenStore, values: Partial<NewJob> = {}): Promise<string> {
  const accepted = await store.insert(newJob(values), clock.now());
  if (accepted instanceof Duplicate) throw new Error(`A duplicate of ${accepted.taskId}`);
  return accepted;
}

export async function submitMany({ store, clock }: OpenStore, jobs: readonly NewJob[]): Promise<string[]> {
  const accepted = await store.insertMany(jobs, clock.now());
  return accepted.map((each) => (each instanceof Duplicate ? `a duplicate of ${each.taskId}` : each));
}

export async function claim({ store, clock }: OpenStore, limit = 1): Promise<Attempt[]> {
  return [...(await store.claim('q', limit, clock.now()))];
}

/** A query for all jobs, with the given filters. */
export const query = (values: Partial<JobQuery> = {}): JobQuery => ({
  status: undefined,
  task: undefined,
  queue: undefined,
  from: undefined,
  to: undefined,
  tag: undefined,
  finishedBefore: undefined,
  cursor: null,
  limit: 100,
  ...values,
});

afterEach(async () => {
  for (const { store } of open.splice(0)) await store.close();
});
