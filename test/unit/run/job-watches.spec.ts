import { AsyncLocalStorage } from 'node:async_hooks';
import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { map } from 'rxjs';
import { EngineError, ExecutorNotRunningError, FlowrraConfigError } from '../../../lib/job/errors.js';
import type { JobRow } from '../../../lib/job/job.js';
import { type TaskResult, taskResultOf } from '../../../lib/job/task-result.js';
import type { TaskUpdate } from '../../../lib/job/task-update.js';
import { InMemoryBackend } from '../../../lib/results/in-memory-backend.js';
import { EventHub } from '../../../lib/run/event-hub.js';
import { GuardedObservable } from '../../../lib/run/guarded-observable.js';
import { JobWatches } from '../../../lib/run/job-watches.js';
import { Gate } from '../../support/gate.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const ROW: JobRow = {
  taskId: 'id',
  taskName: 'task',
  queue: 'q',
  priority: 0,
  status: 'pending',
  submittedAt: 0,
  dueAt: null,
  startedAt: null,
  finishedAt: null,
  retries: 0,
  result: null,
  errors: [],
  reason: null,
  progress: null,
  metadata: undefined,
  logs: [],
};

/** Watches of jobs that the test changes by hand. */
class Bed {
  readonly clock = new ManualClock();
  readonly hub = new EventHub();
  readonly backend = new InMemoryBackend({ clock: this.clock });
  readonly reads: string[] = [];
  readonly rows = new Map<string, JobRow>();
  /** The engine's messages about each job. */
  readonly messages = new Map<string, () => void>();
  /** What a read waits for, or fails with. */
  read: () => Promise<void> = async () => undefined;
  readonly watches: JobWatches;

  constructor(isShared = true) {
    const job = async (taskId: string): Promise<JobRow | null> => {
      this.reads.push(taskId);
      await this.read();
      return this.rows.get(taskId) ?? null;
    };
    const watch = ({ taskId }: { taskId: string }, changed: () => void) => {
      this.messages.set(taskId, changed);
      return () => void this.messages.delete(taskId);
    };
    const { clock, hub, backend } = this;
    this.watches = new JobWatches({
      clock,
      hub,
      control: { job },
      results: () => backend,
      engine: { watch },
      isShared,
    });
    this.set({});
  }

  set(changes: Partial<JobRow>): void {
    const row = { ...ROW, ...changes };
    this.rows.set(row.taskId, row);
  }

  updates(taskId = 'id') {
    return new GuardedObservable<TaskUpdate>('watch()', (subscriber) =>
      this.watches.subscribe(taskId, subscriber),
    );
  }

  /** The statuses and the end that a new subscriber gets. */
  follow(taskId = 'id') {
    const seen: unknown[] = [];
    const subscription = this.updates(taskId).subscribe({
      next: ({ status }) => seen.push(status),
      error: (error: Error) => seen.push(error.constructor.name),
      complete: () => seen.push('complete'),
    });
    return { seen, subscription };
  }
}

it('nothing is read before the subscription, and all subscribers of a job share each read', async () => {
  const { reads, follow, updates, hub, set } = bound(new Bed());
  updates();
  expect(reads).toEqual([]);
  const followers = [follow(), follow(), follow()];
  await settle();
  expect(reads).toEqual(['id']);
  set({ status: 'success', finishedAt: 5 });
  hub.changed('id');
  await settle();
  expect(reads).toEqual(['id', 'id']);
  for (const { seen } of followers) expect(seen).toEqual(['pending', 'success', 'complete']);
});

it('changes that come during a read are followed by one further read', async () => {
  const bed = new Bed();
  const { reads, follow, hub, set } = bound(bed);
  const gate = new Gate();
  bed.read = () => gate.passed;
  const { seen } = follow();
  for (let n = 0; n < 100; n++) {
    set({ retries: n, status: 'running' });
    hub.changed('id');
  }
  gate.open();
  await settle();
  expect(reads).toHaveLength(2);
  expect(seen).toEqual(['running']);
});

it('a read that finds no change is no update', async () => {
  const { reads, follow, hub } = bound(new Bed());
  const { seen } = follow();
  await settle();
  for (let n = 0; n < 3; n++) {
    hub.changed('id');
    await settle();
  }
  expect(reads).toHaveLength(4);
  expect(seen).toEqual(['pending']);
});

it('an engine without results, as in a CPU thread, fails the watch', async () => {
  const { clock, hub } = new Bed();
  const results = (): never => {
    throw new FlowrraConfigError('no results here');
  };
  const watches = new JobWatches({ clock, hub, control: undefined, results, engine: {}, isShared: true });
  const errors: unknown[] = [];
  new GuardedObservable<TaskUpdate>('watch()', (subscriber) => watches.subscribe('id', subscriber)).subscribe(
    {
      error: (error) => errors.push(error),
    },
  );
  await settle();
  expect(errors).toEqual([expect.any(FlowrraConfigError)]);
});

it('jobs that are not watched are not read', async () => {
  const { reads, follow, hub } = bound(new Bed());
  hub.changed('id');
  follow();
  await settle();
  hub.changed('other');
  await settle();
  expect(reads).toEqual(['id']);
});

it('an engine of one process is not read by the clock', async () => {
  const { reads, clock, follow, messages } = bound(new Bed(false));
  follow();
  await settle();
  expect([clock.armed, messages.size]).toEqual([0, 0]);
  await clock.advance(60_000);
  expect(reads).toEqual(['id']);
});

it('messages about other processes are read at once, and then at most every 250 ms', async () => {
  const { reads, clock, follow, messages } = bound(new Bed());
  follow();
  await settle();
  const message = messages.get('id') as () => void;
  for (let n = 0; n < 10; n++) message();
  await settle();
  expect(reads).toHaveLength(2);
  for (let n = 0; n < 10; n++) message();
  await clock.advance(249);
  expect(reads).toHaveLength(2);
  await clock.advance(1);
  expect(reads).toHaveLength(3);
});

it('without messages, a job of a shared engine is read each second', async () => {
  const { reads, clock, follow } = bound(new Bed());
  follow();
  await settle();
  await clock.advance(10_000);
  expect(reads).toHaveLength(11);
});

it('a pass reads at most 100 jobs, and reaches all of them', async () => {
  const { reads, clock, follow, set } = bound(new Bed());
  const ids = Array.from({ length: 250 }, (_, n) => `job ${n}`);
  for (const taskId of ids) {
    set({ taskId });
    follow(taskId);
  }
  await settle();
  const first = reads.splice(0);
  expect(first).toEqual(ids);
  await clock.advance(1_000);
  expect(reads.length).toBeLessThanOrEqual(100);
  await clock.advance(500);
  expect(new Set(reads)).toEqual(new Set(ids));
});

it('the end of the last subscription releases timers, messages and events', async () => {
  const { reads, clock, follow, messages, hub } = bound(new Bed());
  const followers = [follow(), follow()];
  await settle();
  const message = messages.get('id') as () => void;
  message();
  followers[0]?.subscription.unsubscribe();
  expect(clock.armed).toBeGreaterThan(0);
  followers[1]?.subscription.unsubscribe();
  expect([clock.armed, messages.size]).toEqual([0, 0]);
  const before = reads.length;
  message();
  hub.changed('id');
  await clock.advance(5_000);
  expect(reads).toHaveLength(before);
});

it('one who leaves during the first read gets nothing, and leaves nothing behind', async () => {
  const bed = new Bed();
  const { clock, follow, messages } = bound(bed);
  const gate = new Gate();
  bed.read = () => gate.passed;
  const { seen, subscription } = follow();
  subscription.unsubscribe();
  gate.open();
  await settle();
  expect([seen, clock.armed, messages.size]).toEqual([[], 0, 0]);
});

it('fails when the job is removed before its end is read', async () => {
  const { clock, follow, messages, rows } = bound(new Bed());
  const { seen } = follow();
  await settle();
  rows.clear();
  messages.get('id')?.();
  await settle();
  expect(seen).toEqual(['pending', 'ResultNotFoundError']);
  expect([clock.armed, messages.size]).toEqual([0, 0]);
});

it('a subscriber may leave, and another one come, during an update', async () => {
  const { follow, updates, hub, set } = bound(new Bed());
  const seen: string[] = [];
  const first = updates().subscribe(({ status }) => {
    seen.push(status);
    if (status !== 'running') return;
    first.unsubscribe();
    later.push(follow());
  });
  const later: ReturnType<typeof follow>[] = [];
  const other = follow();
  await settle();
  set({ status: 'running' });
  hub.changed('id');
  await settle();
  set({ status: 'failed', finishedAt: 5 });
  hub.changed('id');
  await settle();
  expect(seen).toEqual(['pending', 'running']);
  expect(later[0]?.seen).toEqual(['running', 'failed', 'complete']);
  expect(other.seen).toEqual(['pending', 'running', 'failed', 'complete']);
});

describe('an engine that cannot be queried', () => {
  const outage = async (): Promise<never> => {
    throw new EngineError('no connection');
  };

  it('fails a watch that begins', async () => {
    const bed = new Bed();
    const { follow, clock } = bound(bed);
    bed.read = outage;
    const { seen } = follow();
    await settle();
    expect([seen, clock.armed]).toEqual([['EngineError'], 0]);
  });

  it('is waited for by a watch that has begun', async () => {
    const bed = new Bed();
    const { follow, clock, set } = bound(bed);
    const { seen } = follow();
    await settle();
    bed.read = outage;
    await clock.advance(10_000);
    expect(seen).toEqual(['pending']);
    bed.read = async () => undefined;
    set({ status: 'success', finishedAt: 5 });
    await clock.advance(1_000);
    expect(seen).toEqual(['pending', 'success', 'complete']);
  });

  it('is no other error', async () => {
    const bed = new Bed();
    const { follow, clock } = bound(bed);
    const { seen } = follow();
    await settle();
    bed.read = async () => {
      throw new TypeError('a defect');
    };
    await clock.advance(1_000);
    expect(seen).toEqual(['pending', 'TypeError']);
  });
});

describe('a configured backend', () => {
  const stored = (changes: Partial<JobRow>): TaskResult => taskResultOf({ ...ROW, ...changes });

  it('has the results that the engine has dropped', async () => {
    const { follow, backend, rows, clock } = bound(new Bed());
    rows.clear();
    backend.store('id', stored({ status: 'success', finishedAt: clock.now(), result: 5 }));
    const { seen } = follow();
    await settle();
    expect(seen).toEqual(['success', 'complete']);
  });

  it('tells of the end of a job that the engine does not know', async () => {
    const { follow, backend, rows, clock } = bound(new Bed());
    rows.clear();
    backend.store('id', stored({}));
    const { seen } = follow();
    await settle();
    expect(seen).toEqual(['pending']);
    backend.store('id', stored({ status: 'failed', finishedAt: clock.now() }));
    await settle();
    expect(seen).toEqual(['pending', 'failed', 'complete']);
    expect(clock.armed).toBe(0);
  });

  it('that does not know the job either gives the error', async () => {
    const { follow, rows } = bound(new Bed());
    rows.clear();
    const { seen } = follow();
    await settle();
    expect(seen).toEqual(['ResultNotFoundError']);
  });
});

describe('subscribers', () => {
  it('are called in their own async contexts', async () => {
    const { updates, hub, set } = bound(new Bed());
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    for (const name of ['first', 'second'])
      request.run(name, () =>
        updates().subscribe({
          next: ({ status }) => seen.push(`${status} ${request.getStore()}`),
          complete: () => seen.push(`complete ${request.getStore()}`),
        }),
      );
    await settle();
    set({ status: 'success', finishedAt: 5 });
    request.run('the task', () => hub.changed('id'));
    await settle();
    expect(seen).toEqual([
      'pending first',
      'pending second',
      'success first',
      'success second',
      'complete first',
      'complete second',
    ]);
  });

  it('that fail are logged, and the others are not affected', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const { updates, follow } = bound(new Bed());
    updates().subscribe(() => {
      throw new Error('a broken subscriber');
    });
    updates()
      .pipe(
        map(() => {
          throw new Error('a broken operator');
        }),
      )
      .subscribe();
    updates('unknown').subscribe();
    const { seen } = follow();
    await settle();
    expect(seen).toEqual(['pending']);
    const texts = logged.mock.calls.map(([text]) => String(text));
    logged.mockRestore();
    expect(texts).toHaveLength(3);
    expect(texts.every((text) => text.startsWith('A subscriber of watch() failed: '))).toBe(true);
  });
});

describe('a stop', () => {
  it('shows jobs that have ended with it, and fails the other watches', async () => {
    const { follow, watches, set, clock } = bound(new Bed());
    set({ taskId: 'other' });
    const [ended, unfinished] = [follow(), follow('other')];
    await settle();
    set({ status: 'cancelled', finishedAt: 5 });
    await watches.close();
    expect(ended.seen).toEqual(['pending', 'cancelled', 'complete']);
    expect(unfinished.seen).toEqual(['pending', 'ExecutorNotRunningError']);
    expect(clock.armed).toBe(0);
    const later = follow();
    expect(later.seen).toEqual([ExecutorNotRunningError.name]);
  });

  it('waits at most one second for an engine that does not answer', async () => {
    const bed = new Bed();
    const { follow, watches, clock } = bound(bed);
    const { seen } = follow();
    await settle();
    bed.read = () => new Promise(() => undefined);
    const closed = watches.close();
    await clock.advance(1_000);
    await closed;
    expect(seen).toEqual(['pending', 'ExecutorNotRunningError']);
    expect(clock.armed).toBe(0);
  });
});

/** The members of a bed, to be taken apart. */
function bound(bed: Bed) {
  const { clock, hub, backend, reads, rows, messages, watches } = bed;
  return {
    clock,
    hub,
    backend,
    reads,
    rows,
    messages,
    watches,
    set: bed.set.bind(bed),
    follow: bed.follow.bind(bed),
    updates: bed.updates.bind(bed),
  };
}
