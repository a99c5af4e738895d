import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { FlowrraEvent, FlowrraService } from 'flowrra';
import { filter, firstValueFrom } from 'rxjs';
import { Polite, type Tasks } from './tasks.js';

/** A started application, and what its checks look at. */
export interface Subject {
  readonly flowrra: FlowrraService;
  readonly tasks: Tasks;
}

type EventType = FlowrraEvent['type'];

/** The next event of a type and a task. To be called before the submission that causes the event. */
function next({ flowrra }: Subject, type: EventType, taskName: string): Promise<FlowrraEvent> {
  return firstValueFrom(
    flowrra.events$.pipe(filter((event) => event.type === type && event.taskName === taskName)),
  );
}

async function submitAndResult({ flowrra, tasks }: Subject): Promise<void> {
  const id = await flowrra.with({ metadata: { tenant: 'acme' } }).submit(tasks.greet, 'Ada');
  const { status, result, progress } = await flowrra.waitForResult(id);
  deepEqual([status, result, progress], ['success', { text: 'hello Ada, attempt 1' }, 100]);
  const details = await flowrra.jobs.get(id);
  deepEqual(details?.metadata, { tenant: 'acme' });
  deepEqual(
    details?.logs.map(({ line }) => line),
    ['greeting Ada'],
  );

  const ids = await flowrra.submitMany(
    tasks.greet,
    Array.from({ length: 50 }, (_, n) => [`guest ${n}`] as [string]),
  );
  const results = await Promise.all(ids.map((each) => flowrra.waitForResult(each)));
  equal(results.filter(({ isSuccess }) => isSuccess).length, 50);
}

async function retry({ flowrra, tasks }: Subject): Promise<void> {
  const { result, retries, errors } = await flowrra.waitForResult(await flowrra.submit(tasks.flaky));
  deepEqual([result, retries, errors.length], [3, 2, 2]);
}

async function cancel(subject: Subject): Promise<void> {
  const { flowrra, tasks } = subject;
  const waiting = await flowrra.with({ delay: '1h' }).submit(tasks.greet, 'Ada');
  equal(await flowrra.cancel(waiting, { reason: 'not needed' }), true);
  equal((await flowrra.waitForResult(waiting)).status, 'cancelled');
  equal(await flowrra.cancel(waiting), false);

  const started = next(subject, 'started', 'Tasks.hang');
  const running = await flowrra.submit(tasks.hang);
  await started;
  equal(await flowrra.cancel(running), true);
  equal((await flowrra.waitForResult(running)).status, 'cancelled');
}

async function dedupe(subject: Subject): Promise<void> {
  const { flowrra, tasks } = subject;
  const deduplicated = next(subject, 'deduplicated', 'Tasks.greet');
  const submit = (mode: 'ignore' | 'throttle' | 'debounce', name: string) => {
    const ttl = mode === 'ignore' ? undefined : '1h';
    return flowrra
      .with({ dedupe: { key: mode, mode, ttl }, delay: mode === 'ignore' ? '1h' : undefined })
      .submit(tasks.greet, name);
  };
  for (const mode of ['ignore', 'throttle', 'debounce'] as const) {
    const id = await submit(mode, 'first');
    equal(await submit(mode, 'second'), id, `mode ${mode}`);
    if (mode === 'debounce') deepEqual((await flowrra.jobs.get(id))?.args, ['second']);
    if (mode !== 'throttle') equal(await flowrra.cancel(id), true);
  }
  await deduplicated;
  const own = await flowrra.with({ taskId: 'order-1' }).submit(tasks.greet, 'Ada');
  equal(await flowrra.with({ taskId: 'order-1' }).submit(tasks.greet, 'Bob'), own);
}

async function priorityAndPause({ flowrra, tasks }: Subject): Promise<void> {
  await flowrra.queues.pause('ordered');
  equal(await flowrra.queues.isPaused('ordered'), true);
  const ids: string[] = [];
  for (const priority of [5, 1, 3]) ids.push(await flowrra.with({ priority }).submit(tasks.note, priority));
  deepEqual(tasks.noted, []);
  await flowrra.queues.resume('ordered');
  equal(await flowrra.queues.isPaused('ordered'), false);
  for (const id of ids) equal((await flowrra.waitForResult(id)).status, 'success');
  deepEqual(tasks.noted, [1, 3, 5]);
}

async function delayed({ flowrra, tasks }: Subject): Promise<void> {
  const id = await flowrra.with({ delay: 500 }).submit(tasks.greet, 'Ada');
  const dueAt = (await flowrra.jobs.get(id))?.dueAt;
  ok(dueAt instanceof Date, 'the job has no due time');
  const { status, startedAt } = await flowrra.waitForResult(id);
  equal(status, 'success');
  ok(startedAt !== null && startedAt >= dueAt, 'the job started before its due time');
}

async function findAndRetryFailed({ flowrra, tasks }: Subject): Promise<void> {
  const failed = [await flowrra.submit(tasks.fragile), await flowrra.submit(tasks.fragile)];
  for (const id of failed) equal((await flowrra.waitForResult(id)).error, 'RangeError: broken');
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await flowrra.jobs.find({ status: 'failed', task: 'Tasks.fragile', limit: 1, cursor });
    found.push(...page.jobs.map(({ taskId }) => taskId));
    cursor = page.cursor;
  } while (cursor !== null);
  deepEqual(found.toSorted(), failed.toSorted());
  const counts = await flowrra.jobs.counts();
  equal(counts.find(({ queue }) => queue === 'default')?.failed, 2);

  tasks.broken = false;
  const [first = '', second = ''] = failed;
  equal(await flowrra.jobs.retry(first), true);
  equal((await flowrra.waitForResult(first)).result, 'mended');
  equal(await flowrra.jobs.retryAll({ task: 'Tasks.fragile' }), 1);
  equal((await flowrra.waitForResult(second)).result, 'mended');
  equal(await flowrra.jobs.remove(second), true);
  equal(await flowrra.jobs.get(second), null);
}

async function deadLetters(subject: Subject): Promise<void> {
  const { flowrra, tasks } = subject;
  tasks.broken = true;
  const id = await flowrra.submit(tasks.fragile);
  // Dead letters of the previous check can still arrive, so the first event may belong to another job.
  while (!tasks.dead.includes(id)) await next(subject, 'succeeded', 'Tasks.bury');
}

async function rateLimit({ flowrra, tasks }: Subject): Promise<void> {
  const ids = await flowrra.submitMany(tasks.limited, [[1], [2], [3]]);
  for (const id of ids) equal((await flowrra.waitForResult(id)).status, 'success');
}

async function enhancers({ flowrra, tasks }: Subject): Promise<void> {
  const polite = flowrra.tasks(Polite);
  const outcomes: unknown[] = [];
  for (const name of [' Ada ', 'Mallory', 'Eve']) {
    const { result, errors } = await flowrra.waitForResult(await polite.greet(name));
    outcomes.push(result ?? errors[0]?.code);
  }
  deepEqual(outcomes, ['hello Ada!', 'FLOWRRA_FORBIDDEN', 'instead of Eve']);
  await rejects(polite.greet(''), /the name is empty/);
  deepEqual(tasks.heard, ['succeeded', 'failed', 'succeeded']);
}

async function cpuTask({ flowrra, tasks }: Subject): Promise<void> {
  equal((await flowrra.waitForResult(await flowrra.submit(tasks.square, 12))).result, 144);
}

/** In the order in which they run: each one finds the application as the one before it left it. */
export const CHECKS: Readonly<Record<string, (subject: Subject) => Promise<void>>> = {
  'submit and result': submitAndResult,
  retry,
  cancel,
  dedupe,
  'priority, pause and resume': priorityAndPause,
  delayed,
  'find, retry and remove failed jobs': findAndRetryFailed,
  'dead letters': deadLetters,
  'rate limit': rateLimit,
  enhancers,
  'CPU task': cpuTask,
};
