import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  configured,
  engines,
  idempotent,
  ReceiptTasks,
  results,
  Settings,
  SettingsModule,
  submitting,
} from '../../sample-app/snippets.js';
import { type DynamicModule, type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraService, Task } from 'flowrra';
import { parseDuration } from '../../lib/core/duration.js';
import * as flowrraErrors from '../../lib/core/errors.js';
import { resolveBullMqOptions } from '../../lib/engine/bullmq/bullmq-options.js';
import { loadDriver } from '../../lib/engine/sqlite/driver/load-driver.js';
import { resolveSqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { resolveModuleOptions } from '../../lib/options/resolve-module-options.js';
import { resolveSubmitOptions } from '../../lib/options/resolve-submit-options.js';
import { resolveTaskOptions } from '../../lib/options/resolve-task-options.js';
import type { ResolvedOptions } from '../../lib/options/resolved-options.js';
import { AudioService, AudioTasks } from '../../sample-app/audio.js';
import { carryTenant, tenant } from '../../sample-app/tenant.js';
import { batch, InvoiceTasks, limited, operate, Operations, unique } from '../../sample-app/control.js';
import { startApp } from '../support/app.js';
import { ManualClock } from '../support/manual-clock.js';
import { everything, root, section } from './documents.js';

const scripts = Object.keys(
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts,
);

/** Formatting may differ; words may not. */
const squeeze = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

const snippets = [...everything.matchAll(/```ts\n\/\/ (\S+?)(?:#(\S+))?\n(.*?)```/gs)].map(
  ([, file, region, code]) => ({
    file: file as string,
    region,
    code: squeeze(code as string),
  }),
);

it('names a file for every snippet of TypeScript', () => {
  expect(snippets.length).toBe([...everything.matchAll(/```ts\n/g)].length);
  expect(snippets.length).toBeGreaterThan(8);
});

it.each(snippets)('shows $file as it is', ({ file, region, code }) => {
  const source = readFileSync(join(root, file), 'utf8');
  const part =
    region === undefined ? source : (source.split(`#region ${region}\n`)[1]?.split('#endregion')[0] ?? '');
  expect(code).not.toBe('');
  expect(squeeze(part)).toContain(code);
});

it('shows the line for Jest that the check of the packed library proves', () => {
  const [, line] = /```js\n(.*?)\n```/s.exec(everything) ?? [];
  expect(line).toMatch(/^transformIgnorePatterns/);
  expect(readFileSync(join(root, 'scripts/pack-check.mjs'), 'utf8')).toContain(line);
});

it('shows the types for Vitest that the check of the packed library proves', () => {
  const line = "declare module 'vitest' { interface Matchers<T> extends FlowrraMatchers<T> {} }";
  expect(everything).toContain(line);
  expect(readFileSync(join(root, 'scripts/pack-check.mjs'), 'utf8')).toContain(line);
});

it('names commands that exist', () => {
  const named = [...everything.matchAll(/npm (?:run )?([a-z:]+)/g)]
    .map(([, name]) => name as string)
    .filter((name) => !['ci', 'install'].includes(name));
  expect(named).toEqual(expect.arrayContaining(['test', 'start', 'demo', 'bench']));
  for (const name of named) expect(scripts).toContain(name);
});

it('lists every error with its code, and no other', () => {
  const rows = [...everything.matchAll(/^\| `(\w+Error)` \| `(FLOWRRA_\w+)` \|/gm)].map(([, name, code]) => [
    name,
    code,
  ]);
  const errors = Object.entries(flowrraErrors)
    .filter(([name]) => name !== 'FlowrraError')
    .map(([name, type]) => [name, codeOf(type as never)]);
  expect(rows.sort()).toEqual(errors.sort());
});

/** An error's code, whatever its constructor asks for. */
function codeOf(type: new (...args: unknown[]) => { code: string }): string {
  return new type('1s', 'a problem').code;
}

/** A table of options as it is printed: name to the cell of its default. */
function table(heading: string): Map<string, string> {
  const rows = [...section(heading).matchAll(/^\| (`.*?`) \| (.*?) ?\| .*\|$/gm)];
  return new Map(
    rows.flatMap(([, names, cell]) =>
      [...(names ?? '').matchAll(/`([\w.]+)`/g)].map(([, name]) => [name ?? '', cell ?? '']),
    ),
  );
}

/** What a printed default means. */
function meaning(cell: string): unknown {
  const text = cell.replaceAll(/[`',]/g, '');
  if (text === 'none' || text === 'no bound') return Infinity;
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^\d+(?:ms|[smhd])$/.test(text)) return parseDuration(text, 'README');
  return /^\d+$/.test(text) ? Number(text) : text;
}

function fieldsOf(file: string, type: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  const body = new RegExp(`interface ${type}\\b.*?\\{\\n(.*?)\\n\\}`, 's').exec(source)?.[1] ?? '';
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name as string);
}

const OPTIONS = 'lib/options/module-options.ts';
const QUERY = 'lib/options/job-query-options.ts';
const TASK_OPTIONS = 'lib/options/task-options.ts';
const POLICY = fieldsOf(TASK_OPTIONS, 'TaskPolicyOptions');

it.each([
  [
    '`FlowrraModule.forRoot(options)`',
    [
      ...fieldsOf(OPTIONS, 'FlowrraModuleOptions').filter((name) => name !== 'cpu'),
      ...fieldsOf(OPTIONS, 'CpuOptions').map((name) => `cpu.${name}`),
      'isGlobal',
    ],
  ],
  [
    '`@Task(options)`',
    [
      ...new Set([
        ...POLICY,
        ...fieldsOf(TASK_OPTIONS, 'TaskOptions'),
        ...fieldsOf(TASK_OPTIONS, 'RegisterOptions'),
      ]),
    ],
  ],
  [
    '`flowrra.with(options)`',
    [...fieldsOf(TASK_OPTIONS, 'SubmitOptions'), 'maxRetries', 'retryDelay', 'timeout'],
  ],
  [
    '`flowrra.jobs.find(options)`',
    [...new Set([...fieldsOf(QUERY, 'JobFilter'), ...fieldsOf(QUERY, 'JobFindOptions')])],
  ],
  ['`flowrra.waitForResult(id, options)`', fieldsOf('lib/flowrra.service.ts', 'WaitForResultOptions')],
  ['`flowrra.stop(options)`', fieldsOf('lib/flowrra.service.ts', 'StopOptions')],
  ['SQLite', fieldsOf('lib/engine/sqlite/sqlite-options.ts', 'SqliteOptions')],
  ['Redis and PostgreSQL', fieldsOf('lib/engine/bullmq/bullmq-options.ts', 'BullMqOptions')],
])('lists the options of %s, and no other', (heading, names) => {
  expect(names.length).toBeGreaterThan(1);
  expect([...table(heading).keys()].sort()).toEqual([...names].sort());
});

it('prints the defaults that hold', () => {
  const resolved = resolveModuleOptions({});
  const shown = table('`FlowrraModule.forRoot(options)`');
  const same: (keyof ResolvedOptions)[] = [
    'engine',
    'role',
    'maxPending',
    'whenFull',
    'resultTtl',
    'maxResults',
    'maxPayloadBytes',
    'shutdownTimeout',
  ];
  for (const name of same) expect([name, meaning(shown.get(name) ?? '')]).toEqual([name, resolved[name]]);
  expect(meaning(shown.get('numWorkers') ?? '')).toBe(
    resolved.queues.find(({ name }) => name === 'default')?.concurrency,
  );
  expect(meaning(shown.get('cpu.mode') ?? '')).toBe(resolved.cpu.mode);

  const { policy } = resolveTaskOptions({}, 'Class.method', {
    knownQueues: new Set(['default', 'cpu']),
    deadLetter: null,
    overrides: new Map(),
  });
  const task = table('`@Task(options)`');
  const { deadLetter, ...defaults } = policy;
  expect(deadLetter).toBeNull();
  expect(
    Object.fromEntries(Object.keys(defaults).map((name) => [name, meaning(task.get(name) ?? '')])),
  ).toEqual(defaults);

  const { file, ...sqlite } = resolveSqliteOptions({ file: 'tasks.db' });
  expect(file).toBe(join(process.cwd(), 'tasks.db'));
  const sqliteTable = table('SQLite');
  expect(
    Object.fromEntries(Object.keys(sqlite).map((name) => [name, meaning(sqliteTable.get(name) ?? '')])),
  ).toEqual(sqlite);

  const { connection, queueOptions, workerOptions, ...fleet } = resolveBullMqOptions({
    connection: 'redis://localhost',
  });
  expect([connection, queueOptions, workerOptions]).toEqual(['redis://localhost', {}, {}]);
  const fleetTable = table('Redis and PostgreSQL');
  expect(
    Object.fromEntries(Object.keys(fleet).map((name) => [name, meaning(fleetTable.get(name) ?? '')])),
  ).toEqual(fleet);

  const { priority, delay } = resolveSubmitOptions({ taskId: 'a' }, 0);
  const submit = table('`flowrra.with(options)`');
  expect([meaning(submit.get('priority') ?? ''), meaning(submit.get('delay') ?? '')]).toEqual([
    priority,
    delay,
  ]);
});

const apps: INestApplicationContext[] = [];

function opened<T extends INestApplicationContext>(app: T): T {
  apps.push(app);
  return app;
}

// Here, so that a test which fails leaves nothing open behind it.
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

it('controls as it shows', async () => {
  const clock = new ManualClock();
  @Module({ imports: [limited()], providers: [InvoiceTasks, Operations] })
  class LimitedModule {}

  const bank = opened(await NestFactory.createApplicationContext(LimitedModule, { logger: false }));
  const failed = await bank.get(FlowrraService).submit('InvoiceTasks.book', 'order-9');
  await bank.get(FlowrraService).waitForResult(failed);
  while (bank.get(Operations).letters.length === 0) await new Promise(setImmediate);
  expect(bank.get(Operations).letters).toMatchObject([{ taskId: failed, args: ['order-9'] }]);

  const { app, flowrra } = await startApp({ clock, queues: { invoices: {} } }, { providers: [InvoiceTasks] });
  opened(app);
  const invoices = app.get(InvoiceTasks);
  const [once] = await unique(flowrra, invoices);
  expect(await batch(flowrra, invoices)).toHaveLength(3);
  await clock.advance(10_000);
  expect([...invoices.done].sort()).toEqual(['b', 'c', 'order-1', 'order-1', 'order-2']);
  expect((await flowrra.jobs.get(once as string))?.logs).toMatchObject([{ line: 'invoice of order-1' }]);
  const booked = await flowrra.submit(invoices.book, 'order-9');
  await flowrra.waitForResult(booked);
  expect(await operate(flowrra, booked)).toMatchObject({
    jobs: [{ taskId: booked, error: 'Error: no account for order-9' }],
    cursor: null,
    details: { args: ['order-9'] },
  });
});

it('carries a tenant along, as it shows', async () => {
  @Injectable()
  class Whose {
    @Task()
    tenant(): string | undefined {
      return tenant.getStore();
    }
  }
  const { app, flowrra } = await startApp({ context: carryTenant }, { providers: [Whose] });
  opened(app);
  const ids = [
    await tenant.run('ada', () => flowrra.submit('Whose.tenant')),
    await flowrra.submit('Whose.tenant'),
  ];
  const results = await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
  expect(results.map(({ result }) => result)).toEqual(['ada', undefined]);
});

it('starts quickly, as the quick start says', async () => {
  // Read when the file is loaded: a free port.
  process.env['PORT'] = '0';
  const quickStart = await import('../../sample-app/quick-start.js');
  const app = opened(await quickStart.app);
  delete process.env['PORT'];
  const url = (await app.getUrl()).replace('[::1]', 'localhost');
  const { taskId } = (await (await fetch(`${url}/users/ada`, { method: 'POST' })).json()) as {
    taskId: string;
  };
  const { result } = await app.get(FlowrraService).waitForResult(taskId);
  expect(result).toEqual({ messageId: '42' });
  expect(await (await fetch(`${url}/tasks/${taskId}`)).json()).toMatchObject({
    status: 'success',
    isSuccess: true,
  });
});

it('configures as it shows', async () => {
  @Module({ imports: [SettingsModule, configured()] })
  class ConfiguredModule {}

  const app = opened(await NestFactory.createApplicationContext(ConfiguredModule, { logger: false }));
  const flowrra = app.get(FlowrraService);
  let running = 0;
  let most = 0;
  flowrra.register({ name: 'count' }, async () => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
  });
  for (const id of await flowrra.submitMany('count', [[], [], [], []])) await flowrra.waitForResult(id);
  expect(most).toBe(app.get(Settings).workers);
});

it('runs what it shows of submitting and of results', async () => {
  const clock = new ManualClock();
  const { app, flowrra } = await startApp({ clock }, { providers: [ReceiptTasks] });
  opened(app);
  const receipts = app.get(ReceiptTasks);
  expect(await idempotent(flowrra, receipts)).toBe('order-42-receipt');
  expect(await idempotent(flowrra, receipts)).toBe('order-42-receipt');
  expect(await submitting(flowrra, receipts)).toHaveLength(3);
  expect(await results(flowrra, receipts)).toEqual({ sentAt: expect.any(Date) });
  await clock.advance(300_000);
  expect([...receipts.sent].sort()).toEqual([
    'order-1',
    'order-2',
    'order-3',
    'order-4',
    'order-42',
    'order-5',
    'order-6',
    'order-7',
  ]);
});

describe('keeping jobs in a file', () => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'flowrra-readme-'));
  beforeAll(() => {
    process.chdir(folder);
    mkdirSync('data');
  });
  afterAll(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes one line', async () => {
    const [memory, sqlite, ...shared] = engines();
    // Nothing answers at the usual ports; the same URLs are served below.
    expect(shared).toHaveLength(2);
    for (const module of [memory, sqlite] as DynamicModule[]) {
      @Module({ imports: [module], providers: [ReceiptTasks] })
      class EngineModule {}
      const app = opened(await NestFactory.createApplicationContext(EngineModule, { logger: false }));
      const flowrra = app.get(FlowrraService);
      const id = await flowrra.tasks(ReceiptTasks).sendReceipt('order-1');
      expect((await flowrra.waitForResult(id)).status).toBe('success');
    }
  });

  it('and the file answers the questions that are shown', async () => {
    const { durable } = await import('../../sample-app/durable.js');
    @Module({ imports: [durable] })
    class DurableModule {}
    const app = opened(await NestFactory.createApplicationContext(DurableModule, { logger: false }));
    const flowrra = app.get(FlowrraService);
    flowrra.register({ name: 'fails', maxRetries: 0 }, () => {
      throw new Error('as expected');
    });
    const id = await flowrra.submit('fails');
    await flowrra.waitForResult(id);
    const database = (await loadDriver('auto')).open('tasks.db');
    const [counts, failed] = (/```sql\n(.*?)```/s.exec(everything)?.[1] ?? '')
      .split(';')
      .map((sql) => sql.trim())
      .filter((sql) => sql !== '')
      .map((sql) => database.prepare(sql).all());
    const schema = database
      .prepare<{ sql: string }>(`SELECT sql FROM sqlite_schema WHERE name = 'jobs'`)
      .get();
    database.close();
    expect(counts).toContainEqual({ queue: 'default', status: 'failed', jobs: 1 });
    expect(failed?.map((row) => row['task_id'])).toEqual([id]);
    expect(schema?.sql).toMatch(/place .* -- its place in line/);
  });
});

it('moves from another library as it shows', async () => {
  const { app, flowrra } = await startApp(
    { queues: { audio: {} } },
    { providers: [AudioTasks, AudioService] },
  );
  opened(app);
  const result = await flowrra.waitForResult(await app.get(AudioService).convert('talk.wav'));
  expect(result).toMatchObject({ taskName: 'AudioTasks.transcode', result: { file: 'talk.mp3' } });
});
