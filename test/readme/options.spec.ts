import { join } from 'node:path';
import { parseDuration } from '../../lib/job/duration.js';
import { resolveBullMqOptions } from '../../lib/engine/bullmq/bullmq-options.js';
import { resolveSqliteOptions } from '../../lib/engine/sqlite/sqlite-options.js';
import { resolveModuleOptions } from '../../lib/nest/options/module-options.js';
import { resolveSubmitOptions } from '../../lib/job/submit-options.js';
import { resolveTaskOptions } from '../../lib/job/task-options.js';
import type { ResolvedOptions } from '../../lib/nest/options/module-options.js';
import { section, textOf } from './documents.js';

/** A table of options as the README prints it: name to the cell of its default. */
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

/** The fields of an interface, which one of the files declares. */
function fieldsOf(files: string | readonly string[], type: string): string[] {
  const source = [files].flat().map(textOf).join('\n');
  const body = new RegExp(`interface ${type}\\b.*?\\{\\n(.*?)\\n\\}`, 's').exec(source)?.[1] ?? '';
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, name]) => name as string);
}

const OPTIONS = ['module', 'cpu', 'queue'].map((name) => `lib/nest/options/${name}-options.ts`);
const QUERY = 'lib/nest/options/job-query-options.ts';
const SERVICE = 'lib/nest/options/service-options.ts';
const TASK_OPTIONS = ['lib/job/task-options.ts', 'lib/job/submit-options.ts'];
const DURABLE = 'lib/job/durable-options.ts';
const SCHEDULE = 'lib/job/schedule/schedule-options.ts';
const DECORATORS = 'lib/nest/decorators/schedule.decorators.ts';
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
  ['Options of a schedule', ['cron', 'every', ...fieldsOf(SCHEDULE, 'ScheduleOptions')]],
  [
    '`@Cron(expression, options)` and `@Interval(every, options)`',
    [...fieldsOf(DECORATORS, 'IntervalOptions'), ...fieldsOf(DECORATORS, 'CronOptions')],
  ],
  [
    '`flowrra.schedules.pause(name, options)`',
    fieldsOf('lib/nest/flowrra.schedules.ts', 'PauseScheduleOptions'),
  ],
  ['Concurrency and rates', fieldsOf(OPTIONS, 'QueueOptions')],
  ['The option `dedupe`', fieldsOf(TASK_OPTIONS, 'DedupeOptions')],
  ['The testing module', fieldsOf('lib/testing/flowrra-testing.module.ts', 'FlowrraTestingOptions')],
  [
    '`flowrra.jobs.find(options)`',
    [...new Set([...fieldsOf(QUERY, 'JobFilter'), ...fieldsOf(QUERY, 'JobFindOptions')])],
  ],
  ['`flowrra.signal(id, name, value, options)`', fieldsOf(SERVICE, 'SignalOptions')],
  ['`flowrra.jobs.retry(id, options)`', fieldsOf(SERVICE, 'RetryOptions')],
  ['`ctx.step(name, fn, options)`', [...fieldsOf(DURABLE, 'StepOptions'), 'timeout']],
  ['`ctx.waitFor(name, options)`', fieldsOf(DURABLE, 'WaitForOptions')],
  ['`ctx.each(name, source, options)`', fieldsOf(DURABLE, 'EachOptions')],
  ['`ctx.with(options)`', fieldsOf(DURABLE, 'ChildOptions')],
  ['`ctx.once(tx, fn, options)`', fieldsOf('lib/job/once-options.ts', 'OnceOptions')],
  ['`outbox(options)`', fieldsOf('lib/outbox/outbox-options.ts', 'OutboxOptions')],
  ['`flowrra.waitForResult(id, options)`', fieldsOf(SERVICE, 'WaitForResultOptions')],
  ['`flowrra.watch(id)`', fieldsOf('lib/job/task-update.ts', 'TaskUpdate')],
  ['`flowrra.stop(options)`', fieldsOf(SERVICE, 'StopOptions')],
  ['SQLite', fieldsOf('lib/engine/sqlite/sqlite-options.ts', 'SqliteOptions')],
  ['Redis and PostgreSQL', fieldsOf('lib/engine/bullmq/bullmq-options.ts', 'BullMqOptions')],
])('lists the options of %s, and no other', (heading, names) => {
  expect(names).not.toHaveLength(0);
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

it.each([
  ...['module', 'cpu', 'queue', 'job-query'].map((name) => `lib/nest/options/${name}-options.ts`),
  ...TASK_OPTIONS,
  DURABLE,
  SCHEDULE,
  DECORATORS,
  'lib/nest/flowrra.schedules.ts',
  'lib/nest/decorators/on-task.decorator.ts',
  'lib/nest/flowrra.module-definition.ts',
  SERVICE,
  'lib/engine/sqlite/sqlite-options.ts',
  'lib/engine/bullmq/bullmq-options.ts',
  'lib/health/health-limits.ts',
  'lib/job/once-options.ts',
  'lib/outbox/outbox-options.ts',
  'lib/results/in-memory-backend.ts',
  'lib/telemetry/flowrra-telemetry.ts',
  'lib/testing/flowrra-testing.module.ts',
])('documents every field of the options in %s, and the default of the optional ones', (file) => {
  const interfaces = [
    ...textOf(file).matchAll(/^export interface (\w+(?:Options|Filter|Extras))\b.*?\{\n(.*?)\n\}/gms),
  ];
  expect(interfaces).not.toHaveLength(0);
  const undocumented = interfaces
    .filter(([, name]) => !name?.startsWith('Resolved'))
    .flatMap(([, type, body = '']) => {
      const fields = [...body.matchAll(/(\/\*\*(?:(?!\*\/).)*\*\/)?\s*^ {2}(\w+)(\??):/gms)];
      return fields
        .filter(
          ([, doc = '', , optional]) => doc === '' || (optional === '?' && !doc.includes('@defaultValue')),
        )
        .map(([, , name]) => `${type}.${name}`);
    });
  expect(undocumented).toEqual([]);
});
