import type { Backoff } from './policy.js';
import type { Duration } from './duration.js';
import type { StandardSchema } from './standard-schema.js';

/** What a worker does when an attempt fails or runs too long. */
export interface TaskPolicyOptions {
  /** Retries after the first attempt. Default 3; 0 for none, `Infinity` for as many as it takes. */
  maxRetries?: number;
  /** Delay before a retry, the base of `'exponential'`. Default 1000 ms. */
  retryDelay?: Duration;
  /** How the delay grows. Default `'fixed'`. */
  backoff?: Backoff;
  /** The longest delay that `'exponential'` reaches, at least `retryDelay`. Default 1 h. */
  maxRetryDelay?: Duration;
  /** Full jitter: each delay is drawn evenly from 0 to what the backoff says. Default `false`. */
  jitter?: boolean;
  /** The longest an attempt may run before its signal is aborted. Default: no limit, which is `Infinity`. */
  timeout?: Duration;
  /**
   * After an abort, how long an attempt may take to end by itself before it counts as failed
   * and, if it is CPU-bound, its thread is ended. Default 5 s.
   */
  killGrace?: Duration;
  /**
   * How long after its submission a job may still be started, or tried again; then it is cancelled
   * instead. What runs by then goes on. Default: for ever, which is `Infinity`.
   */
  expires?: Duration;
  /**
   * The name of a task that is submitted, with a `DeadLetter` as its argument, for each job that has
   * failed for good. Default: what `forRoot({ deadLetter })` says, else none; `null` for none.
   */
  deadLetter?: string | null;
}

/** Options of `@Task()`. */
export interface TaskOptions extends TaskPolicyOptions {
  /** The name that jobs carry. Default `ClassName.methodName`. */
  name?: string;
  /** The queue that jobs wait in. Default `'default'`, and `'cpu'` for a CPU-bound task. */
  queue?: string;
  /** Run in a worker thread. Default `false`. */
  cpuBound?: boolean;
  /**
   * Validators of its arguments, of zod or whatever else is a Standard Schema: one for the list of
   * them, or one for each (`null` for none). The task gets what they make of its arguments.
   */
  schema?: StandardSchema<readonly unknown[]> | readonly (StandardSchema | null)[];
  /**
   * CPU-bound only: the file that a thread imports to find this class, `import.meta.url` in ES
   * modules or `__filename` in CommonJS. Default: the file in which the decorator was applied.
   */
  file?: string | URL;
}

/** What an application may say of a task besides its decorator, by its name: `forRoot({ tasks: { … } })`. */
export interface TaskOverrideOptions extends TaskPolicyOptions {
  /** The queue that jobs wait in; what waits already stays where it is. */
  queue?: string;
}

/** Options of `register()`, for a plain function. */
export interface RegisterOptions extends TaskPolicyOptions {
  /** The name that jobs carry. */
  name: string;
  /** The queue that jobs wait in. Default `'default'`, and `'cpu'` for a CPU-bound task. */
  queue?: string;
  /** Run in a worker thread; needs `file`. Default `false`. */
  cpuBound?: boolean;
  /** Validators of its arguments: one Standard Schema for the list of them, or one for each (`null` for none). */
  schema?: StandardSchema<readonly unknown[]> | readonly (StandardSchema | null)[];
  /** CPU-bound only: the file that a thread imports to find the function. */
  file?: string | URL;
  /** CPU-bound only: the name under which `file` exports the function. Default `'default'`. */
  export?: string;
}

/** Lets jobs of one key stand for each other. See {@link SubmitOptions.dedupe}. */
export interface DedupeOptions {
  /** What makes two submissions of a task the same: 1 to 300 characters. */
  key: string;
  /**
   * - `'ignore'` (default): while a job of that key is unfinished, no other one is added.
   * - `'throttle'`: for `ttl` after a job of that key was submitted, no other one is added.
   * - `'debounce'`: the job waits for `ttl`; another one of that key that comes meanwhile gives it its
   *   arguments, and the wait begins anew. The last one wins.
   *
   * The mode of the job that holds the key says for how long: `ttl` if it was throttled, otherwise until
   * it has ended.
   */
  mode?: 'ignore' | 'throttle' | 'debounce';
  /** How long, for `'throttle'` and `'debounce'`. */
  ttl?: Duration;
}

/** Options of one submission, given to `with()`. */
export interface SubmitOptions extends Pick<TaskPolicyOptions, 'maxRetries' | 'retryDelay' | 'timeout'> {
  /** 0 to 2,097,151; lower runs first. Default 0. */
  priority?: number;
  /** Wait this long before the first attempt. Not together with `runAt`. */
  delay?: Duration;
  /** Do not start before this time. One in the past means now. */
  runAt?: Date;
  /**
   * Your own id for the job. Submitting the same id again, while the job or its result is
   * known, submits nothing and returns the id: a repeated request becomes harmless.
   * 1 to 255 characters, no `:`, no whole number.
   */
  taskId?: string;
  /** Overrides the task's own `backoff`; a function cannot travel with a job. */
  backoff?: 'fixed' | 'exponential';
  /** Overrides the task's own `expires`: a duration from now, or a time that lies ahead. */
  expires?: Duration | Date;
  /**
   * Another job of the same task and the same key may stand in this one's place: `submit` then
   * returns that one's id, and `events$` tells of it as `deduplicated`. Not together with `taskId`.
   */
  dedupe?: DedupeOptions;
  /** Plain data of your own that travels with the job: at most 16 KiB. The task reads it in its context. */
  metadata?: Record<string, unknown>;
}

/** One job of a `submitMany`, with options of its own beside those of `with()`. */
export interface BatchJob<A extends readonly unknown[]> extends SubmitOptions {
  /** The arguments of this job. */
  args: A;
}

/**
 * What of the submitter's surroundings travels with each job, and how an attempt runs in it: a
 * tenant, a user, a trace, from an `AsyncLocalStorage` of yours or of `nestjs-cls`.
 */
export interface ContextOptions<T = unknown> {
  /** Called where a job is submitted. Plain data of at most 16 KiB, or `undefined` for nothing. */
  capture(): T | undefined;
  /** Called for each attempt: runs `next` within what was captured, and returns what that returns. */
  run(captured: T | undefined, next: () => unknown): unknown;
}
