import { type Attempt, Duplicate, type NewJob } from '../../lib/job/job.js';
import type { JobQuery } from '../../lib/job/query.js';
import type { ResolvedQueue } from '../../lib/job/queue.js';
import { resolveSqliteOptions, type SqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { SqliteStore } from '../../lib/engine/sqlite/sqlite-store.js';
import { newJob } from '../support/jobs.js';
import { ManualClock } from '../support/manual-clock.js';
import { DRIVER } from '../support/sqlite.js';

export { newJob } from '../support/jobs.js';

export interface OpenStore {
  readonly store: SqliteStore;
  readonly clock: ManualClock;
  readonly lost: Attempt[];
  /** What was told of attempts that have been cancelled. */
  readonly cancelled: { attempt: Attempt; reason: string }[];
  /** Cancelled jobs that it said were over. */
  readonly ended: string[];
  /** How often the store has said that something has changed. */
  changes: number;
}

const open: OpenStore[] = [];

/** A worker's store on a file, living in a time of its own: one that is not moved on is a dead worker. */
export async function openStore(
  options: Partial<SqliteOptions> & { file: string },
  limits: { resultTtl?: number; maxResults?: number } = {},
  now?: number,
  queue: Partial<ResolvedQueue> = {},
): Promise<OpenStore> {
  const clock = new ManualClock();
  if (now !== undefined) clock.jump(now - clock.now());
  const store = new SqliteStore(resolveSqliteOptions({ driver: DRIVER, ...options }));
  const opened: OpenStore = { store, clock, lost: [], cancelled: [], ended: [], changes: 0 };
  await store.open({
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
    notify(event) {
      if (event.type === 'changed') opened.changes++;
      else if (event.type === 'lost') opened.lost.push(event.attempt);
      else if (event.type === 'ended') opened.ended.push(event.row.taskId);
      else opened.cancelled.push({ attempt: event.attempt, reason: event.reason });
    },
  });
  open.push(opened);
  return opened;
}

/** Submits a job that is no other's duplicate, and returns its id. */
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

/** Asks for all jobs, but for what is given. */
export const query = (values: Partial<JobQuery> = {}): JobQuery => ({
  status: undefined,
  task: undefined,
  queue: undefined,
  from: undefined,
  to: undefined,
  cursor: null,
  limit: 100,
  ...values,
});

afterEach(async () => {
  for (const { store } of open.splice(0)) await store.close();
});
