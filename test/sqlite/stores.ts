import type { Attempt, NewJob } from '../../lib/engine/engine.interface.js';
import { resolveSqliteOptions, type SqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { SqliteStore } from '../../lib/engine/sqlite/sqlite-store.js';
import { ManualClock } from '../support/manual-clock.js';
import { DRIVER } from '../support/sqlite.js';

export interface OpenStore {
  readonly store: SqliteStore;
  readonly clock: ManualClock;
  readonly lost: Attempt[];
  /** How often the store has said that something has changed. */
  changes: number;
}

const open: OpenStore[] = [];

/** A worker's store on a file, living in a time of its own: one that is not moved on is a dead worker. */
export async function openStore(
  options: Partial<SqliteOptions> & { file: string },
  limits: { resultTtl?: number; maxResults?: number } = {},
  now?: number,
): Promise<OpenStore> {
  const clock = new ManualClock();
  if (now !== undefined) clock.jump(now - clock.now());
  const store = new SqliteStore(resolveSqliteOptions({ driver: DRIVER, ...options }));
  const opened: OpenStore = { store, clock, lost: [], changes: 0 };
  await store.open({
    clock,
    retention: { resultTtl: 3_600_000, maxResults: 100_000, ...limits },
    queues: ['q'],
    changed: () => opened.changes++,
    lost: (attempt) => opened.lost.push(attempt),
  });
  open.push(opened);
  return opened;
}

afterEach(async () => {
  for (const { store } of open.splice(0)) await store.close();
});

export function newJob(values: Partial<NewJob> = {}): NewJob {
  return {
    taskId: undefined,
    taskName: 'task',
    queue: 'q',
    priority: 0,
    delay: 0,
    args: [],
    overrides: undefined,
    ...values,
  };
}
