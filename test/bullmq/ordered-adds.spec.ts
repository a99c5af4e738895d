import { jest } from '@jest/globals';
import { ExecutorNotRunningError } from '../../lib/index.js';
import { OrderedAdds } from '../../lib/engine/bullmq/submit/ordered-adds.js';
import { NotSentError } from '../../lib/engine/bullmq/server/call-limiter.js';
import type { QueuedJob } from '../../lib/engine/bullmq/job-mapping.js';
import { addJobs } from '../../lib/engine/bullmq/submit/job-adds.js';
import type { AnyQueue } from '../../lib/engine/bullmq/server/bull-server.js';
import { SharedTimeout } from '../../lib/engine/bullmq/server/shared-timeout.js';
import { settle } from '../support/manual-clock.js';

interface Call {
  readonly names: string[];
  succeed(): void;
  fail(error: Error): void;
}

const REJECTED = new Error('rejected');

/** BullMQ's answer to `add` and to `addBulk`. */
const added = (names: string[]): object =>
  names.length === 1 ? { id: `id of ${names[0]}` } : names.map((name) => ({ id: `id of ${name}` }));

/** A queue whose calls the test answers. */
function fakeQueue(timeout = 60_000) {
  const calls: Call[] = [];
  const call = (names: string[]): Promise<unknown> =>
    new Promise<unknown>((succeed, fail) =>
      calls.push({ names, succeed: () => succeed(added(names)), fail }),
    );
  const queue = {
    add: (name: string) => call([name]),
    addBulk: (jobs: readonly { name: string }[]) => call(jobs.map(({ name }) => name)),
  };
  const adds = new OrderedAdds(
    (jobs) => addJobs(queue as unknown as AnyQueue, jobs),
    new SharedTimeout(timeout),
    (error) => error === REJECTED,
  );
  const add = (...names: string[]): Promise<string[]> =>
    adds.add(names.map((name) => ({ queue: 'q', name, data: null, options: {} }) as unknown as QueuedJob));
  return { calls, add, adds };
}

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);

it('has one call under way at a time, and what comes meanwhile shares the next', async () => {
  const { calls, add } = fakeQueue();
  const first = add('a');
  const others = names('b', 20).map((name) => add(name));
  expect(calls.map((call) => call.names)).toEqual([['a']]);
  calls[0]?.succeed();
  await first;
  await settle();
  expect(calls.map((call) => call.names)).toEqual([['a'], names('b', 20)]);
  calls[1]?.succeed();
  expect(await first).toEqual(['id of a']);
  expect(await Promise.all(others)).toEqual(names('b', 20).map((name) => [`id of ${name}`]));
});

it('a few go one by one, though not those that were handed in together', async () => {
  const { calls, add } = fakeQueue();
  const all = [add('a'), add('b'), add('c', 'd'), add('e')];
  for (let n = 0; n < 4; n++) {
    await settle();
    calls[n]?.succeed();
  }
  await Promise.all(all);
  expect(calls.map((call) => call.names)).toEqual([['a'], ['b'], ['c', 'd'], ['e']]);
});

it('a call has no more than 500 jobs, unless they were handed in together', async () => {
  const { calls, add } = fakeQueue();
  const all = [add('a'), add(...names('b', 400)), add(...names('c', 200)), add(...names('d', 900))];
  for (let n = 0; n < 4; n++) {
    await settle();
    calls[n]?.succeed();
  }
  await Promise.all(all);
  expect(calls.map((call) => call.names.length)).toEqual([1, 400, 200, 900]);
});

it('one that the server refuses does not take the others with it', async () => {
  const { calls, add } = fakeQueue();
  const first = add('a');
  const all = Promise.allSettled(names('b', 12).map((name) => add(name)));
  calls[0]?.succeed();
  await first;
  await settle();
  calls[1]?.fail(REJECTED);
  for (let n = 0; n < 12; n++) {
    await settle();
    const call = calls[n + 2] as Call;
    if (call.names[0] === 'b5') call.fail(REJECTED);
    else call.succeed();
  }
  const outcomes = await all;
  expect(outcomes.map(({ status }) => status)).toEqual(
    names('b', 12).map((name) => (name === 'b5' ? 'rejected' : 'fulfilled')),
  );
});

it('any other failure is that of all who shared the call, and none is sent again', async () => {
  const { calls, add } = fakeQueue();
  const first = add('a');
  const all = Promise.allSettled(names('b', 12).map((name) => add(name)));
  calls[0]?.succeed();
  await first;
  await settle();
  calls[1]?.fail(new Error('broken'));
  const outcomes = await all;
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  expect(calls).toHaveLength(2);
});

it('what still waits when its time is over is not sent any more, and says so', async () => {
  const { calls, add } = fakeQueue(20);
  const sent = add('a');
  const waiting = add('b');
  await expect(waiting).rejects.toBeInstanceOf(NotSentError);
  await expect(sent).rejects.not.toBeInstanceOf(NotSentError);
  calls[0]?.succeed();
  await settle();
  expect(calls).toHaveLength(1);
  const next = add('c');
  calls[1]?.succeed();
  await next;
});

it('while a call has had no answer in time, others are refused at once', async () => {
  const { calls, add } = fakeQueue(20);
  await expect(add('a')).rejects.toThrow('no answer within 20 ms');
  await expect(add('b')).rejects.toBeInstanceOf(NotSentError);
  calls[0]?.fail(new Error('broken'));
  await settle();
  const next = add('c');
  calls[1]?.succeed();
  expect(await next).toEqual(['id of c']);
});

it('time counts for the call that was sent, and not for what waits behind it', async () => {
  const { calls, add } = fakeQueue();
  const timed = jest.spyOn(SharedTimeout.prototype, 'limit');
  const all = names('b', 600).map((name) => add(name));
  for (let n = 0; n < 3; n++) {
    await settle();
    expect(timed).toHaveBeenCalledTimes(n + 1);
    calls[n]?.succeed();
  }
  expect(await Promise.all(all)).toHaveLength(600);
  timed.mockRestore();
});

it('when it is closed, the call under way gets its answer, and what waits is refused', async () => {
  const { calls, add, adds } = fakeQueue();
  const sent = add('a');
  const waiting = add('b');
  adds.close();
  await expect(waiting).rejects.toBeInstanceOf(ExecutorNotRunningError);
  await expect(add('c')).rejects.toBeInstanceOf(ExecutorNotRunningError);
  calls[0]?.succeed();
  expect(await sent).toEqual(['id of a']);
  await settle();
  expect(calls).toHaveLength(1);
});
