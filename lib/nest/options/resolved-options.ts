import type { Type } from '@nestjs/common';
import type { ResourceLimits } from 'node:worker_threads';
import type { Clock } from '../../job/clock.js';
import type { Engine } from '../../engine/engine.js';
import type { ResultBackend } from '../../results/result-backend.js';
import type { ContextOptions } from '../../run/context.js';
import type { ResolvedQueue } from '../../job/queue.js';
import type { TaskOverrideOptions } from '../../job/task-options.js';

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

/** Injection token of the checked options; internal. */
export const RESOLVED_OPTIONS = Symbol('FLOWRRA_RESOLVED_OPTIONS');
