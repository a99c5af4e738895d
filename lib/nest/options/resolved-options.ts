import type { Type } from '@nestjs/common';
import type { ResourceLimits } from 'node:worker_threads';
import type { Clock } from '../../job/clock.js';
import type { Dedupe, Engine, Metadata } from '../../engine/engine.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { ContextOptions } from './module-options.js';
import type { Backoff, TaskOverrideOptions } from './task-options.js';

/** What the user configured, checked, in milliseconds and bytes, with every default filled in. */
export interface ResolvedOptions {
  readonly queues: readonly ResolvedQueue[];
  readonly cpu: {
    readonly threads: number;
    /** A `file:` URL, or `null` for none. */
    readonly module: string | null;
    readonly mode: 'thread' | 'inline';
    readonly resourceLimits: ResourceLimits | null;
  };
  readonly engine: string | Engine;
  readonly backend: ResultBackend | Type<ResultBackend> | null;
  readonly role: 'all' | 'producer' | 'worker';
  /** `Infinity` for no bound. */
  readonly maxPending: number;
  readonly whenFull: 'wait' | 'reject';
  readonly resultTtl: number;
  readonly maxResults: number;
  readonly maxPayloadBytes: number;
  readonly shutdownTimeout: number;
  /** Options over those of the tasks' own, by name. They are checked with these. */
  readonly tasks: ReadonlyMap<string, TaskOverrideOptions>;
  readonly globalEnhancers: boolean;
  readonly context: ContextOptions | null;
  /** For tasks that name none. */
  readonly deadLetter: string | null;
  readonly remoteTasks: ReadonlyMap<string, { readonly queue: string }>;
  readonly clock: Clock;
  /** Whether the start is not logged: set by the test kit. */
  readonly quiet?: boolean;
}

export interface ResolvedQueue {
  readonly name: string;
  /** Of this process. */
  readonly concurrency: number;
  /** Of all processes together; `Infinity` for no bound. */
  readonly fleetConcurrency: number;
  /** How many attempts this process may start. */
  readonly rateLimit: RateLimit | null;
  /** How many attempts all processes together may start. */
  readonly fleetRateLimit: RateLimit | null;
}

/** So many starts within so many milliseconds, counted from the first of them. */
export interface RateLimit {
  readonly max: number;
  readonly per: number;
}

/** A task's policy, complete. Times in milliseconds; `timeout` is `Infinity` for none. */
export interface TaskPolicy {
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly backoff: Backoff;
  readonly maxRetryDelay: number;
  readonly jitter: boolean;
  readonly timeout: number;
  readonly killGrace: number;
  /** How long after its submission an attempt may still be started; `Infinity` for ever. */
  readonly expires: number;
  /** The task that is given what failed for good; `null` for none. */
  readonly deadLetter: string | null;
}

/** The part of a policy that one job may override. It travels with the job as plain data. */
export interface PolicyOverrides {
  readonly maxRetries?: number;
  readonly retryDelay?: number;
  readonly backoff?: 'fixed' | 'exponential';
  readonly timeout?: number;
  readonly expires?: number;
  /** From when `expires` counts, if not from the submission: milliseconds since the epoch. */
  readonly validFrom?: number;
}

/** Where and how one task runs, from the options of `@Task()` or `register()`. */
export interface ResolvedTask {
  readonly name: string;
  readonly queue: string;
  readonly cpuBound: boolean;
  readonly policy: TaskPolicy;
}

/** One submission's options, checked. */
export interface ResolvedSubmit {
  readonly priority: number;
  /** Milliseconds until the job is due, 0 for now. */
  readonly delay: number;
  /** `undefined` to have the engine mint one. */
  readonly taskId: string | undefined;
  readonly overrides: PolicyOverrides | undefined;
  readonly metadata: Metadata | undefined;
  /** Its key as it was given: the task's name is put before it when it is submitted. */
  readonly dedupe: Dedupe | undefined;
  /** Whether `maxPending` is not for it. */
  readonly exempt?: boolean;
  /** In the place of what would be captured. */
  readonly context?: unknown;
  /** What a job carries because of whose end this one is submitted. */
  readonly cause?: unknown;
}

export const DEFAULT_QUEUE = 'default';
export const CPU_QUEUE = 'cpu';

/** Injection token of the checked options; internal. */
export const RESOLVED_OPTIONS = Symbol('FLOWRRA_RESOLVED_OPTIONS');
