import { type Accepted, type Attempt, Duplicate, type NewJob } from '../../lib/job/job.js';
import { loadDriver } from '../../lib/engine/sqlite/file/load-driver.js';
import { DRIVER, tempFile } from '../support/sqlite.js';
import { claim, newJob, openStore, type OpenStore, query } from './stores.js';

const SUCCESS = { kind: 'success', result: 1 } as const;
const ERROR = { attempt: 1, name: 'E', message: 'boom', code: null, stack: null, at: 0 };
const LARGE = 'x'.repeat(10_000);

const ignore = (key: string): Partial<NewJob> => ({ dedupe: { key, mode: 'ignore', ttl: 0 } });
const throttle = (key: string, ttl: number): Partial<NewJob> => ({ dedupe: { key, mode: 'throttle', ttl } });
const debounce = (key: string, ttl: number): Partial<NewJob> => ({
  dedupe: { key, mode: 'debounce', ttl },
  delay: ttl,
});

const add = async ({ store, clock }: OpenStore, values: Partial<NewJob>): Promise<Accepted> =>
  store.insert(newJob(values), clock.now());

async function keysIn(file: string): Promise<number> {
  const database = (await loadDriver(DRIVER)).open(file);
  const row = database.prepare<{ keys: number }>('SELECT count(*) AS keys FROM dedupe_keys').get();
  database.close();
  return row?.keys ?? -1;
}

it('a job with an existing id is a duplicate, whether that id was chosen or generated', async () => {
  const worker = await openStore({ file: tempFile() });
  const generated = (await add(worker, {})) as string;
  const chosen = (await add(worker, { taskId: 'mine' })) as string;
  for (const taskId of [generated, chosen])
    expect(await add(worker, { taskId, ...ignore('a key') })).toEqual(new Duplicate(taskId));
  // Neither submission holds the key.
  expect(await add(worker, ignore('a key'))).toEqual(expect.any(String));
});

it('ignore: a job holds its key until it ends', async () => {
  const worker = await openStore({ file: tempFile() });
  const id = (await add(worker, ignore('k'))) as string;
  expect(await add(worker, ignore('k'))).toEqual(new Duplicate(id));
  expect(await add(worker, ignore('other'))).toEqual(expect.any(String));
  const [attempt] = (await claim(worker)) as [Attempt];
  expect(await add(worker, ignore('k'))).toEqual(new Duplicate(id));
  await worker.store.settle(attempt, { kind: 'retry', delay: 100, error: ERROR }, worker.clock.now());
  expect(await add(worker, ignore('k'))).toEqual(new Duplicate(id));
  await worker.store.control.cancel(id, 'enough');
  const next = await add(worker, ignore('k'));
  expect(next).toEqual(expect.any(String));
  expect(next).not.toBe(id);
});

it('ignore: a failed job holds its key again after a retry by an operator', async () => {
  const worker = await openStore({ file: tempFile() });
  const id = (await add(worker, ignore('k'))) as string;
  const [attempt] = (await claim(worker)) as [Attempt];
  await worker.store.settle(attempt, { kind: 'failed', error: ERROR }, worker.clock.now());
  await worker.store.control.retry(id);
  expect(await add(worker, ignore('k'))).toEqual(new Duplicate(id));
});

it('throttle: a key is held for its ttl from the submission, even if the job and its result have been dropped', async () => {
  const file = tempFile();
  const worker = await openStore({ file }, { maxResults: 1 });
  const id = (await add(worker, throttle('k', 60_000))) as string;
  const [attempt] = (await claim(worker)) as [Attempt];
  await worker.store.settle(attempt, SUCCESS, worker.clock.now());
  await add(worker, {});
  await worker.store.settle((await claim(worker))[0] as Attempt, SUCCESS, worker.clock.now());
  expect(worker.store.results.get(id)).toBeNull();
  await worker.clock.advance(59_999);
  expect(await add(worker, throttle('k', 60_000))).toEqual(new Duplicate(id));
  await worker.clock.advance(1);
  expect(await add(worker, throttle('k', 60_000))).toEqual(expect.any(String));
  expect(await keysIn(file)).toBe(1);
});

it('debounce: the delayed job runs with the arguments of the last submission, after the last delay', async () => {
  const worker = await openStore({ file: tempFile() });
  const id = await add(worker, { ...debounce('k', 1_000), args: ['first'], priority: 3 });
  await worker.clock.advance(900);
  const second = { args: [LARGE], overrides: { maxRetries: 7 }, metadata: { by: 'ada' }, priority: 1 };
  expect(await add(worker, { ...debounce('k', 1_000), ...second })).toEqual(new Duplicate(id as string));
  await worker.clock.advance(900);
  const last = { args: ['last', 1], metadata: { by: 'bob' } };
  expect(await add(worker, { ...debounce('k', 1_000), ...last })).toEqual(new Duplicate(id as string));
  await worker.clock.advance(999);
  expect(await claim(worker)).toEqual([]);
  await worker.clock.advance(1);
  const [attempt] = (await claim(worker)) as [Attempt];
  expect(attempt).toMatchObject({ taskId: id, priority: 3, metadata: { by: 'bob' }, overrides: undefined });
  expect(attempt.args()).toEqual(['last', 1]);
  // A running job cannot be changed.
  expect(await add(worker, debounce('k', 1_000))).toEqual(expect.any(String));
});

it('debounce: arguments of any size replace arguments of any size', async () => {
  const worker = await openStore({ file: tempFile() });
  for (const args of [['small'], [LARGE], ['small again'], [`${LARGE}!`], [LARGE]]) {
    await add(worker, { ...debounce('k', 1_000), args });
    const [job] = worker.store.control.find(query()).rows;
    expect(worker.store.control.job(job?.taskId as string)?.args).toEqual(args);
  }
});

it.each([
  ['ignore', ignore('k')],
  ['throttle', throttle('k', 1_000)],
  ['debounce', debounce('k', 1_000)],
])('of 50 concurrent submissions in two processes, one adds a job: %s', async (_mode, values) => {
  const file = tempFile();
  const stores = [await openStore({ file }), await openStore({ file })];
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => add(stores[n % 2] as OpenStore, values)),
  );
  const added = answers.filter((answer) => typeof answer === 'string');
  expect(added).toHaveLength(1);
  expect(answers.filter((answer) => answer instanceof Duplicate)).toEqual(
    Array.from({ length: 49 }, () => new Duplicate(added[0] as string)),
  );
  expect(stores[0]?.store.pendingCount()).toBe(1);
});

it.each([3, 30])(
  'insertMany: each job is a duplicate of those before it, and all jobs are added or none (%d)',
  async (size) => {
    const file = tempFile();
    const worker = await openStore({ file });
    const jobs = Array.from({ length: size }, (_, n) => newJob(ignore(n % 3 === 0 ? 'same' : `own ${n}`)));
    const answers = await worker.store.insertMany(jobs, 0);
    const first = answers[0] as string;
    answers.forEach((answer, n) =>
      expect(answer).toEqual(n % 3 === 0 && n > 0 ? new Duplicate(first) : expect.any(String)),
    );
    const before = await keysIn(file);
    const broken = [...jobs, newJob(ignore('fine')), newJob({ ...ignore('broken'), args: [() => 0] })];
    await expect(worker.store.insertMany(broken, 0)).rejects.toThrow();
    expect(await keysIn(file)).toBe(before);
    expect(await add(worker, ignore('fine'))).toEqual(expect.any(String));
  },
);

it('keys are deleted with their jobs, or when their ttl is over', async () => {
  const file = tempFile();
  const worker = await openStore({ file, lease: 10_000 }, { maxResults: 5 });
  for (let n = 0; n < 50; n++) {
    await add(worker, ignore(`i${n}`));
    await add(worker, throttle(`t${n}`, 1_000));
    for (const attempt of await claim(worker, 2))
      await worker.store.settle(attempt, SUCCESS, worker.clock.now());
  }
  expect(await keysIn(file)).toBeLessThan(60);
  await worker.clock.advance(40_000);
  expect(await keysIn(file)).toBeLessThanOrEqual(5);
});
