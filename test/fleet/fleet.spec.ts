import { jest } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { type ServiceControls, startServices } from '../../scripts/services/services.mjs';
import { randomFrom } from '../support/random.js';
import { until } from '../support/until.js';
import { Fleet, type WorkerSettings } from './fleet.js';
import { isInterrupted, type Outage, problems } from './journal.js';
import { Producer } from './producer.js';

/** FLOWRRA_TEST_SEED repeats the kills of an earlier run, as far as the machine plays along. */
const SEED = Number(process.env.FLOWRRA_TEST_SEED ?? Date.now() % 1_000_000);
const JOBS = 10_000;
const WORKERS = 3;
const PLAN = ['kill', 'kill', 'kill', 'outage', 'kill', 'stop', 'kill', 'kill'] as const;
const LONGEST_LULL_MS = 400;
const LONGEST_OUTAGE_MS = 1_000;

describe.each(['redis', 'postgres'] as const)('a fleet over %s', (kind) => {
  let server: ServiceControls;
  let stopServices: () => Promise<void>;
  let tests = 0;
  let fleet: Fleet;
  let producer: Producer;

  beforeAll(async () => {
    const services =
      kind === 'redis'
        ? await startServices({ postgres: false, own: true, durable: true })
        : await startServices({ redis: false, own: true, durable: true });
    server = services.redis ?? services.postgres;
    stopServices = services.stop;
  });
  afterAll(() => stopServices());
  afterEach(async () => {
    fleet.remove();
    await producer.close();
  });

  async function setUp(settings: Partial<WorkerSettings> = {}): Promise<void> {
    const prefix = `fleet${++tests}`;
    fleet = new Fleet({
      connection: server.url,
      prefix,
      // No live worker is blocked for that long, even on a busy machine.
      lease: '15s',
      stalledInterval: 500,
      maxRescues: 1_000,
      numWorkers: 4,
      shutdownTimeout: '1h',
      ...settings,
    });
    producer = await Producer.start(server.url, prefix);
  }

  it(`loses none of ${JOBS} jobs, though workers and the server are killed (seed ${SEED})`, async () => {
    await setUp();
    const random = randomFrom(SEED);
    const outages: Outage[] = [];
    const ends: unknown[] = [];
    const working = await Promise.all(Array.from({ length: WORKERS }, () => fleet.start()));
    let replacing = Promise.resolve();
    const replaced = async (victim: number, end: (worker: number) => Promise<unknown>): Promise<void> => {
      ends.push(await end(working[victim] as number));
      // Meanwhile the others go on, and new jobs come in.
      replacing = fleet.start().then((worker) => void (working[victim] = worker));
    };
    const steps = {
      kill: () => replaced(Math.trunc(random() * WORKERS), (worker) => fleet.kill(worker)),
      // The worker with the most runs.
      stop: () => replaced(working.indexOf(Math.min(...working)), (worker) => fleet.stop(worker)),
      outage: async () => {
        const from = Date.now();
        await server.kill();
        await pause(random() * LONGEST_OUTAGE_MS);
        await server.restart();
        outages.push([from, Date.now()]);
      },
    };
    for (const step of PLAN) {
      const lull = random() * LONGEST_LULL_MS;
      const happening = replacing.then(() => pause(lull)).then(steps[step]);
      await Promise.all([producer.feed(JOBS / PLAN.length), happening]);
    }
    await replacing;
    const lost = await producer.problems();
    for (const worker of working) ends.push(await fleet.stop(worker));

    const journals = fleet.journals();
    const strangers = new Set(journals.flatMap(({ runs }) => runs.map(({ taskId }) => taskId)));
    for (const taskId of producer.accepted.keys()) strangers.delete(taskId);
    expect(lost).toEqual([]);
    expect(problems(journals, outages)).toEqual([]);
    expect(producer.accepted.size).toBe(JOBS);
    // No rejected job was added later.
    expect(strangers.size).toBeLessThanOrEqual(producer.uncertain);
    expect(ends.filter((end) => end !== undefined)).toEqual(Array(WORKERS + 1).fill([0, null]));
    // The kills have hit running jobs.
    const interrupted = journals.flatMap(({ runs, killed }) =>
      runs.filter((run) => isInterrupted(run, killed, outages)),
    );
    expect(interrupted.length).toBeGreaterThan(0);
  });

  it('fails a job that kills each of its workers, and no other job', async () => {
    await setUp({ lease: '1h', maxRescues: 2, numWorkers: 1 });
    const killer = await producer.flowrra.submit('Work.kill', 0);
    await producer.many('fast', 50);
    await producer.many('slow', 50);
    let over = false;
    const ended = producer.flowrra.waitForResult(killer).finally(() => (over = true));
    let worker = 0;
    const replaceTheDead = async (): Promise<void> => {
      while (!over) {
        worker = await fleet.start();
        await Promise.race([fleet.death(worker).then(() => fleet.endLeases(worker)), ended]);
      }
    };
    const [result] = await Promise.all([ended, replaceTheDead()]);
    expect(result).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('TaskLostError'),
      errors: [{ attempt: 1, name: 'TaskLostError', code: 'FLOWRRA_TASK_LOST' }],
      retries: 0,
    });
    expect(await producer.problems()).toEqual([]);
    // A producer may receive the event of an end before the worker has written the journal.
    expect(await fleet.stop(worker)).toEqual([0, null]);
    const journals = fleet.journals();
    expect(journals.flatMap(({ runs }) => runs.filter(({ taskId }) => taskId === killer))).toHaveLength(3);
    expect(journals.flatMap(({ finished }) => finished).filter((taskId) => taskId === killer)).toHaveLength(
      1,
    );
    expect(problems(journals, [])).toEqual([]);
  });

  it('releases a job that a stopping worker cannot finish, and another worker runs it', async () => {
    // With such a lease, a test that waits for its end does not end.
    await setUp({ lease: '1h', shutdownTimeout: '200ms' });
    const stopping = await fleet.start({ FLEET_DEAF: 'yes' });
    const deaf = await Promise.all(Array.from({ length: 4 }, () => producer.one('deaf')));
    await until(() => fleet.journal(stopping).runs.length === deaf.length, { describe: 'all of them run' });
    const staying = await fleet.start();
    const [end] = await Promise.all([fleet.stop(stopping), producer.feed(1_000)]);
    expect(end).toEqual([0, null]);
    expect(await producer.problems()).toEqual([]);
    await fleet.stop(staying);
    expect(problems(fleet.journals(), [])).toEqual([]);
    const again = fleet.journal(staying).runs.filter(({ taskId }) => deaf.includes(taskId));
    expect(again.map(({ attempt }) => attempt)).toEqual(deaf.map(() => 1));
  });

  it('settles a wait in another process when the job ends, by an event', async () => {
    // The engine also checks awaited jobs at an interval, which is disabled here.
    const look = jest.spyOn(globalThis, 'setInterval').mockReturnValue(setTimeout(() => {}));
    await setUp();
    expect(look).toHaveBeenCalled();
    look.mockRestore();
    await fleet.start();
    const delayed = producer.flowrra.with({ delay: 100 });
    const statusOfNext = async (timeout?: string): Promise<string> => {
      const taskId = await delayed.submit('Work.slow', 0);
      const waiting = producer.flowrra.waitForResult(taskId, { timeout: timeout as '5s' });
      return waiting.then(
        ({ status }) => status,
        (error: Error) => error.name,
      );
    };
    // The end of a job before the first listener is ready causes no event.
    await until(async () => (await statusOfNext('5s')) === 'success', { describe: 'the listener is ready' });
    for (let job = 0; job < 5; job++) expect(await statusOfNext()).toBe('success');
  });
});
