import { trace } from '@opentelemetry/api';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { SubmitOptions } from '../../lib/index.js';
import { FlowrraTelemetryModule } from '../../lib/telemetry/index.js';
import { outbox } from '../../lib/outbox/index.js';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { place } from '../bullmq/apps.js';
import { startApp } from '../support/app.js';
import { Recording, startContexts, stopContexts } from '../telemetry/open-telemetry.js';
import { DirectBed, Work } from './support/direct-bed.js';

const bed = await DirectBed.open();
afterAll(() => bed.close());

const OPTIONS: Record<string, SubmitOptions> = {
  'no options': {},
  'a delay of an hour': { delay: '1h' },
  'a delay beyond 32 bits': { delay: '60d' },
  'a priority': { priority: 7 },
  tags: { tags: ['order:1', 'ünïcode ?$1:x'] },
  metadata: { metadata: { by: `it's "ada"`, at: new Date(5), n: 10n ** 20n } },
  overrides: { maxRetries: 7, timeout: '5s' },
  'an id of its own': { taskId: 'mine' },
};
const TIMES = ['added_at_ms', 'process_at_ms'];

/** A row of a job without the values that differ between two submissions of the same job. */
function comparable(row: Record<string, unknown>): unknown {
  const [added, due] = TIMES.map((name) => row[name]);
  const opts = row.opts as Record<string, unknown>;
  expect(opts.jobId).toBe(row.id);
  expect(opts.timestamp).toBe(Number(added));
  const submission = opts.submission === undefined ? undefined : typeof opts.submission;
  const own = { id: 0, seq: 0, queue: String(row.queue).split('.').at(-1), added_at_ms: 0 };
  const process_at_ms = due === null ? null : Number(due) - Number(added);
  return { ...row, ...own, process_at_ms, opts: { ...opts, jobId: 0, timestamp: 0, submission } };
}

/** The events and tags of a storage, without ids of jobs and times. */
async function traces(storage: string): Promise<unknown> {
  const at = [`${storage}.`];
  const events = await bed.pool.query<{ event: string; data: Record<string, unknown> }>(
    'SELECT event, data FROM bullmq.event WHERE starts_with(queue, $1) ORDER BY id',
    at,
  );
  const tags = await bed.pool.query(
    `SELECT tag, count(*) FROM bullmq.flowrra_job_tag WHERE starts_with(queue, $1) GROUP BY 1 ORDER BY 1`,
    at,
  );
  return [events.rows.map(({ event, data }) => [event, Object.keys(data).sort(), data.name]), tags.rows];
}

describe('the same rows as those of an ordinary submission', () => {
  const producer = { role: 'producer', queues: { side: {} } } as const;
  const bull = { bullmq: { queue: { defaultJobOptions: { stackTraceLimit: 3, lifo: true } } } };

  describe.each(Object.entries(OPTIONS))('%s', (_what, options) => {
    it.each([
      ['one job', 1],
      ['a few jobs', 3],
      ['many jobs', 40],
    ])('%s', async (_number, count) => {
      const [plain, direct] = await Promise.all([bed.start(producer, bull), bed.start(producer, bull)]);
      const args = (n: number): [string] => [`${n} \\ " é`];
      if (count === 1) {
        await plain.flowrra.with(options).submit(plain.work.note, ...args(0));
        await bed.transaction((tx) =>
          direct.flowrra
            .within(tx)
            .with(options)
            .submit(direct.work.note, ...args(0)),
        );
      } else {
        const { taskId, ...shared } = options;
        const jobs = Array.from({ length: count }, (_, n) => ({
          args: args(n),
          ...(taskId === undefined ? {} : { taskId: `${taskId}-${n}` }),
        }));
        await plain.flowrra.with(shared).submitMany(plain.work.note, jobs);
        await bed.transaction((tx) =>
          direct.flowrra.within(tx).with(shared).submitMany(direct.work.note, jobs),
        );
      }
      const [expected, found] = [await bed.rows(plain.storage), await bed.rows(direct.storage)];
      expect(found).toHaveLength(count);
      expect(found.map(comparable)).toEqual(expected.map(comparable));
      expect(await traces(direct.storage)).toEqual(await traces(plain.storage));
      await plain.app.close();
      await direct.app.close();
    });
  });
});

it('jobs run by priority, and delayed ones when they are due', async () => {
  const producer = await bed.start({ role: 'producer' });
  const { note } = producer.work;
  const ids = await bed.transaction(async (tx) => {
    const within = producer.flowrra.within(tx);
    return [
      await within.with({ delay: 50, priority: 1 }).submit(note, 'delayed'),
      await within.with({ priority: 9 }).submit(note, 'late'),
      await within.with({ priority: 2 }).submit(note, 'early'),
      await within.submit(note, 'first'),
    ];
  });
  expect(await producer.flowrra.getResult(ids[0] as string)).toMatchObject({ status: 'pending' });
  const rows = await bed.rows(producer.storage);
  // It is due before the worker starts, or while the worker waits: both are right.
  expect(Number(rows[0]?.process_at_ms) - Number(rows[0]?.added_at_ms)).toBe(50);
  const worker = await bed.start({ queues: { default: { concurrency: 1 } } }, { prefix: producer.storage });
  for (const id of ids) await worker.flowrra.waitForResult(id);
  expect(worker.work.ran.filter((name) => name !== 'delayed')).toEqual(['first', 'early', 'late']);
  expect(worker.work.ran).toContain('delayed');
});

it('jobs are found by their tags, and carry metadata', async () => {
  const { flowrra, work } = await bed.start();
  const options = { tags: ['order:1'], metadata: { by: 'ada' } };
  const [id] = await bed.transaction(async (tx) => [
    await flowrra.within(tx).with(options).submit(work.seen),
    await flowrra.within(tx).submit(work.seen),
  ]);
  const { result } = await flowrra.waitForResult(id as string);
  expect(result).toMatchObject({ taskId: id, metadata: { by: 'ada' } });
  const { jobs } = await flowrra.jobs.find({ tag: 'order:1' });
  expect(jobs.map(({ taskId }) => taskId)).toEqual([id]);
});

it('the context and the trace of the calling code travel', async () => {
  startContexts();
  const tenants = new AsyncLocalStorage<string>();
  const told = new Recording();
  const { tracerProvider, meterProvider } = told;
  const { app, flowrra } = await startApp(
    {
      engine: bullmq({ connection: bed.url, prefix: place() }),
      outbox: outbox({ database: bed.pool, direct: true }),
      context: {
        capture: () => tenants.getStore(),
        run: (tenant, next) => tenants.run(tenant as string, next),
      },
    },
    { imports: [FlowrraTelemetryModule.forRoot({ tracerProvider, meterProvider })], providers: [Work] },
  );
  flowrra.register({ name: 'tenant' }, () => [
    tenants.getStore(),
    trace.getActiveSpan()?.spanContext().traceId,
  ]);
  const { traceId, taskId } = await told.tracer.startActiveSpan('request', async (span) => {
    const taskId = await tenants.run('acme', () =>
      bed.transaction((tx) => flowrra.within(tx).submit('tenant')),
    );
    span.end();
    return { traceId: span.spanContext().traceId, taskId };
  });
  expect((await flowrra.waitForResult(taskId)).result).toEqual(['acme', traceId]);
  await app.close();
  stopContexts();
});
