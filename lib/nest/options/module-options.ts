import { availableParallelism } from 'node:os';
import type { Type } from '@nestjs/common';
import type { Engine } from '../../engine/engine.js';
import { checkKeys, checkObject, wrong } from '../../job/check.js';
import { type Clock, systemClock } from '../../job/clock.js';
import type { Duration } from '../../job/duration.js';
import { checkScheduleName, checkTaskName } from '../../job/names.js';
import type { ResolvedQueue } from '../../job/queue.js';
import {
  byName,
  duration,
  flag,
  nested,
  oneOf,
  optional,
  OptionTable,
  type Resolved,
  type RulesOf,
  wholeNumber,
  withMethods,
} from '../../job/rules.js';
import type { ScheduleOptions } from '../../job/schedule/schedule-options.js';
import { type ContextOptions, OVERRIDE_KEYS, type TaskOverrideOptions } from '../../job/task-options.js';
import type { Outbox } from '../../outbox/connected-outbox.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { DurableProbe } from '../../run/durable/durable-probe.js';
import { backendOption, engineOption } from './engine-option.js';
import { checkRemoteQueues, type RemoteTaskOptions, remoteTasksRule } from './remote-task-options.js';
import { CPU_RULES, type CpuOptions } from './cpu-options.js';
import {
  checkQueues,
  type DeclaredQueues,
  mergeFeatures,
  type QueueOptions,
  resolveQueues,
} from './queue-options.js';

/** Options of a declared schedule that `forRoot({ schedules })` overrides. */
export type ScheduleOverrideOptions = ScheduleOptions & {
  /**
   * Replaces the decorator's times.
   *
   * @defaultValue those of the decorator
   */
  cron?: string;
  /**
   * Replaces the decorator's times. Not together with `cron`.
   *
   * @defaultValue those of the decorator
   */
  every?: Duration;
};

/** Options of `FlowrraModule.forRoot()`. */
export interface FlowrraModuleOptions {
  /**
   * How many jobs of the queue `default` this process runs at once: at least 1. Not together with
   * `queues.default.concurrency`.
   *
   * @defaultValue `4`
   */
  numWorkers?: number;
  /**
   * How many CPU-bound jobs this process runs at once, each in a thread of its own: 1 to 1,000.
   *
   * @defaultValue the number of CPU cores
   */
  cpuWorkers?: number;
  /**
   * Where CPU-bound tasks run.
   *
   * @defaultValue worker threads without a Nest module
   */
  cpu?: CpuOptions;
  /**
   * Further queues, by name: 1 to 100 letters (a to z), digits, `_`, `.` and `-`. `default` and `cpu` always
   * exist; the concurrency of `cpu` is `cpuWorkers`.
   *
   * @defaultValue `{}`
   */
  queues?: Record<string, QueueOptions>;
  /**
   * Stores and delivers jobs: a URL such as `'redis://localhost:6379'`, or an engine.
   *
   * @defaultValue `'memory:'`
   */
  engine?: string | Engine;
  /**
   * Stores results: an instance, or a class that Nest instantiates with its dependencies.
   *
   * @defaultValue the engine
   */
  backend?: ResultBackend | Type<ResultBackend>;
  /**
   * `'producer'` only submits jobs, which requires an engine that other processes share. `'worker'` and
   * `'all'` run jobs as well.
   *
   * @defaultValue `'all'`
   */
  role?: 'all' | 'producer' | 'worker';
  /**
   * How many unfinished jobs may wait, at least 1, before `whenFull` applies. `Infinity` for no limit.
   *
   * @defaultValue `Infinity`
   */
  maxPending?: number;
  /**
   * At `maxPending`, `submit` either waits (`'wait'`) or rejects with a `QueueFullError` (`'reject'`).
   *
   * @defaultValue `'wait'`
   */
  whenFull?: 'wait' | 'reject';
  /**
   * How long finished jobs and their results are kept.
   *
   * @defaultValue `'1h'`
   */
  resultTtl?: Duration;
  /**
   * How many results are kept, at least 1. The oldest is removed first.
   *
   * @defaultValue `100_000`
   */
  maxResults?: number;
  /**
   * The largest size of a job's arguments, and of its result, in bytes: at least 1.
   *
   * @defaultValue `1_048_576`
   */
  maxPayloadBytes?: number;
  /**
   * How long a stop waits for running jobs before it aborts their signals.
   *
   * @defaultValue `'30s'`
   */
  shutdownTimeout?: Duration;
  /**
   * Options by task name, which take precedence over those of the decorators, so that a deployment can tune
   * tasks without a change of code: `{ 'EmailTasks.sendWelcome': { maxRetries: 10 } }`.
   *
   * @defaultValue `{}`
   */
  tasks?: Record<string, TaskOverrideOptions>;
  /**
   * Options by schedule name, which take precedence over those of `@Cron()` and `@Interval()`; `false` turns a schedule
   * off: `{ 'ReportTasks.daily': { cron: env.DAILY }, 'SyncTasks.poll': false }`.
   *
   * @defaultValue `{}`
   */
  schedules?: Record<string, ScheduleOverrideOptions | false>;
  /**
   * Whether global guards, interceptors, pipes and filters apply to tasks too. Most of them expect an HTTP
   * request.
   *
   * @defaultValue `false`
   */
  globalEnhancers?: boolean;
  /**
   * Captures context of the submitter, such as a tenant, and restores it around each attempt of the job.
   *
   * @defaultValue no context
   */
  context?: ContextOptions;
  /**
   * The name of the task that handles failed jobs, for tasks without a `deadLetter` of their own.
   *
   * @defaultValue no task
   */
  deadLetter?: string;
  /**
   * Tasks that this application submits and another one runs, by name.
   *
   * @defaultValue `{}`
   */
  remoteTasks?: Record<string, RemoteTaskOptions>;
  /**
   * Submissions in transactions of your database: `outbox()` of `flowrra/outbox`.
   *
   * @defaultValue no outbox
   */
  outbox?: Outbox;
  /**
   * The clock, for tests.
   *
   * @defaultValue the system's clock
   */
  clock?: Clock;
}

export const MODULE_RULES = new OptionTable({
  numWorkers: wholeNumber({ min: 1 }),
  cpuWorkers: wholeNumber({ min: 1, max: 1_000, default: availableParallelism() }),
  cpu: nested(CPU_RULES),
  queues: optional(checkQueues, {}),
  engine: optional(engineOption, 'memory:'),
  backend: backendOption,
  role: oneOf(['all', 'producer', 'worker'], 'all'),
  maxPending: wholeNumber({ min: 1, infinite: true, default: Infinity }),
  whenFull: oneOf(['wait', 'reject'], 'wait'),
  resultTtl: duration({ default: '1h' }),
  maxResults: wholeNumber({ min: 1, default: 100_000 }),
  maxPayloadBytes: wholeNumber({ min: 1, default: 1_048_576 }),
  shutdownTimeout: duration({ default: '30s' }),
  tasks: byName(
    checkTaskName,
    // The other checks need the task itself: resolveTaskOptions().
    (value, path): TaskOverrideOptions => {
      checkKeys(value, OVERRIDE_KEYS, path);
      return { ...(value as TaskOverrideOptions) };
    },
    "It must be an object of options by task name: { 'EmailTasks.sendWelcome': { maxRetries: 10 } }.",
  ),
  schedules: byName(
    checkScheduleName,
    (value, path): object | false => {
      if (value !== false) checkObject(value, path, 'It must be an object of options, or false.');
      return value;
    },
    "It must be an object of options by schedule name: { 'ReportTasks.daily': { cron: '0 6 * * *' } }.",
  ),
  globalEnhancers: flag(false),
  context: withMethods<ContextOptions, null>(
    ['capture', 'run'],
    'It must be an object with capture and run.',
    null,
  ),
  deadLetter: optional(checkTaskName, null),
  remoteTasks: remoteTasksRule,
  outbox: withMethods<Outbox, null>(
    ['connect'],
    'It must be the return value of outbox() of flowrra/outbox: outbox({ database: pool }).',
    null,
  ),
  clock: withMethods<Clock, Clock>(['now', 'after'], 'It must be an object with now and after.', systemClock),
} satisfies RulesOf<FlowrraModuleOptions>);

type Checked = Resolved<typeof MODULE_RULES>;

/** The options of `forRoot()`, checked, with all defaults. Times are in milliseconds. */
export interface ResolvedOptions extends Omit<Checked, 'numWorkers' | 'cpuWorkers' | 'queues' | 'cpu'> {
  readonly queues: readonly ResolvedQueue[];
  readonly cpu: Checked['cpu'] & { readonly threads: number };
  /** Whether the start is not logged: set by the test kit. */
  readonly quiet?: boolean;
  /** Sees the calls of durable tasks: set by the test kit. */
  readonly durableProbe?: DurableProbe | undefined;
}

/** Injection token of the {@link ResolvedOptions}; internal. */
export const RESOLVED_OPTIONS = Symbol('FLOWRRA_RESOLVED_OPTIONS');

/**
 * Checks the options of `forRoot()`. The result shares no object with `options`, except the engine, the
 * backend, the context and the clock.
 *
 * @param features The queues of `forFeature()`.
 * @throws {FlowrraConfigError} that names the option, its value and the valid values.
 */
export function resolveModuleOptions(
  options: FlowrraModuleOptions,
  features: readonly DeclaredQueues[] = [],
): ResolvedOptions {
  const checked = MODULE_RULES.resolve(options, 'FlowrraModule options', '');
  const { numWorkers, cpuWorkers, cpu, queues: own, ...rest } = checked;
  if (Object.hasOwn(options, 'engine')) engineOption(options.engine, 'engine');
  const queues = mergeFeatures(resolveQueues(own, numWorkers, cpuWorkers), features);
  checkRole(checked);
  checkRemoteQueues(checked.remoteTasks, queues);
  return { ...rest, queues, cpu: { ...cpu, threads: cpuWorkers } };
}

function checkRole({ role, engine }: Checked): void {
  if (role === 'producer' && typeof engine === 'string' && /^memory:/i.test(engine))
    throw wrong(
      'role',
      role,
      `The engine '${engine}' exists only in this process, so no worker can run the jobs of a producer. Use an engine that other processes share, or role: 'all'.`,
    );
}
