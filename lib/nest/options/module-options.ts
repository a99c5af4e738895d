import type { ContextOptions, TaskOverrideOptions } from '../../job/task-options.js';
import type { Type } from '@nestjs/common';
import type { ResourceLimits } from 'node:worker_threads';
import type { Clock } from '../../job/clock.js';
import type { Duration } from '../../job/duration.js';
import type { Engine } from '../../engine/engine.js';
import type { ResultBackend } from '../../results/result-backend.js';

/** Options of one queue. */
export interface QueueOptions {
  /** How many of its jobs run at once in this process. Default 1; of `default`, what `numWorkers` says. */
  concurrency?: number;
  /** How many of its jobs run at once in all processes together. Default: no bound. */
  fleetConcurrency?: number;
  /** How many attempts this process starts within a time. Default: no bound. */
  rateLimit?: RateLimitOptions;
  /** How many attempts all processes together start within a time. Default: no bound. */
  fleetRateLimit?: RateLimitOptions;
}

/** So many within a time, which begins with the first of them. */
export interface RateLimitOptions {
  /** How many may start: at least 1. */
  max: number;
  /** The time within which: at least 1 ms. */
  per: Duration;
}

/** Options of the worker threads that run CPU-bound tasks. */
export interface CpuOptions {
  /**
   * A module whose default export is a Nest module. Each thread makes an application context of
   * it, so that CPU-bound tasks are injected like any provider. The compiled file, as an absolute path or a
   * `file:` URL: `new URL('./cpu.module.js', import.meta.url)` in ES modules, `join(__dirname, 'cpu.module.js')`
   * in CommonJS. Tasks of classes that it does not provide run on an instance made by `new`.
   *
   * The application does not start if the file does not exist, unless its `role` is `'producer'`.
   */
  module?: string | URL;
  /** `'thread'` (default), or `'inline'` to run CPU-bound tasks on the main thread, as tests may want. */
  mode?: 'thread' | 'inline';
  /** Memory limits of each thread, as `node:worker_threads` takes them. A thread that exceeds them is ended. */
  resourceLimits?: ResourceLimits;
}

/** A task that another application runs: this one only submits it. */
export interface RemoteTaskOptions {
  /** The queue that the task's workers read. Default `'default'`. */
  queue?: string;
}

/** Options of `FlowrraModule.forFeature()`. */
export interface FlowrraFeatureOptions {
  /**
   * Queues that the feature brings along, as in {@link FlowrraModuleOptions.queues}, but neither
   * `default` nor `cpu`.
   */
  queues: Record<string, QueueOptions>;
}

/** Options of `FlowrraModule.forRoot()`. */
export interface FlowrraModuleOptions {
  /** How many jobs of the queue `default` run at once; not together with `queues.default.concurrency`. Default 4. */
  numWorkers?: number;
  /** How many CPU-bound jobs run at once, each in its thread; at most 1,000. Default: the number of cores. */
  cpuWorkers?: number;
  /** Where CPU-bound tasks run. */
  cpu?: CpuOptions;
  /**
   * Further queues, by name: 1 to 100 letters (a to z), digits, `_`, `.` and `-`. `default` and `cpu`
   * exist always; the concurrency of `cpu` is `cpuWorkers`. All processes of a fleet should say the
   * same of `fleetConcurrency` and `fleetRateLimit`.
   */
  queues?: Record<string, QueueOptions>;
  /** Where jobs wait: a URL such as `'memory:'`, or an engine. Default `'memory:'`. */
  engine?: string | Engine;
  /**
   * Where results are kept, instead of in the engine: an instance, or a class that Nest
   * instantiates with its dependencies.
   */
  backend?: ResultBackend | Type<ResultBackend>;
  /** `'producer'` submits and never runs, which needs a shared engine; `'worker'` and `'all'` (default) run. */
  role?: 'all' | 'producer' | 'worker';
  /** How many unfinished jobs may wait before `submit` is held back. Default: no bound. */
  maxPending?: number;
  /** At `maxPending`, `submit` either waits for room (`'wait'`, default) or rejects with `QueueFullError`. */
  whenFull?: 'wait' | 'reject';
  /** How long a result is kept. Default 1 h. */
  resultTtl?: Duration;
  /** How many results are kept, the oldest dropped first. Default 100,000. */
  maxResults?: number;
  /** The largest arguments, or result, of a job in bytes. Default 1,048,576. */
  maxPayloadBytes?: number;
  /** How long `stop` waits for running jobs before it aborts their signal. Default 30 s. */
  shutdownTimeout?: Duration;
  /**
   * Options of tasks, by name, over those of their decorators, so that a deployment tunes them without
   * touching code: `{ 'EmailTasks.sendWelcome': { maxRetries: 10 } }`.
   */
  tasks?: Record<string, TaskOverrideOptions>;
  /**
   * Whether global guards, interceptors, pipes and filters are for tasks as well. Default `false`: most
   * of them are written for HTTP requests, and would find none.
   */
  globalEnhancers?: boolean;
  /** What of the submitter's surroundings travels with each job. Default: nothing. */
  context?: ContextOptions;
  /** The task that is given what failed for good, by its name, for every task that names none itself. */
  deadLetter?: string;
  /** Tasks that this application submits and another one runs, by name. */
  remoteTasks?: Record<string, RemoteTaskOptions>;
  /** The clock to live by; for tests. Default: the system's. */
  clock?: Clock;
}
