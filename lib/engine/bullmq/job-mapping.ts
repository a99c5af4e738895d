import { randomBytes } from 'node:crypto';
import { PayloadError } from '../../core/errors.js';
import { payloadFromJson, payloadToJson } from '../../core/payload/payload-text.js';
import type { TaskStatus } from '../../core/task-result.js';
import { type JobState, MAX_ERRORS } from '../../core/task-snapshot.js';
import { checkObject } from '../../options/check.js';
import { resolveOverrides } from '../../options/resolve-submit-options.js';
import type { PolicyOverrides } from '../../options/resolved-options.js';
import type { AttemptError, NewJob, Retention } from '../engine.interface.js';

/** What a BullMQ job of ours holds as its `data`: plain JSON, for whoever looks at the queue with other tools. */
export interface JobData {
  readonly args: unknown[];
  readonly overrides?: unknown;
  /** What failed attempts threw. */
  readonly errors?: readonly AttemptError[];
  /** Why the job was cancelled. */
  readonly cancelled?: string;
}

/** As much of a BullMQ job as is read. */
export interface BullJob {
  readonly id?: string;
  readonly name: string;
  readonly data: unknown;
  readonly attemptsMade: number;
  readonly timestamp: number;
  readonly processedOn?: number | undefined;
  readonly finishedOn?: number | undefined;
  readonly failedReason?: string | undefined;
  readonly returnvalue: unknown;
}

/** How long results are kept, in seconds, and how many. */
export interface Kept {
  readonly age: number;
  readonly count: number;
}

/** Options for `queue.add`, as far as they are ours to set. */
export interface BullJobOptions {
  readonly jobId: string;
  readonly priority: number;
  readonly delay: number;
  readonly timestamp: number;
  readonly removeOnComplete: Kept;
  readonly removeOnFail: Kept;
}

const TIME_DIGITS = 9;
const COUNTER_DIGITS = 4;
const RANDOM_BYTES = 12;
/** Random bytes are drawn for so many ids at once: drawing costs more than the bytes do. */
const DRAWN_AT_ONCE = 256;
const MINTED = /^b[0-9a-z]{13}[\w-]{16}\.([\w.-]+)$/;

/**
 * Ids of new jobs: the time and a counter, so that they sort by submission (results of the same
 * millisecond are dropped in the order of their ids), 96 random bits, and the queue, so that asking
 * for a result needs no search.
 */
export class IdMint {
  private counter = 0;
  private time = { at: NaN, digits: '' };
  private drawn = Buffer.alloc(0);
  private used = 0;

  mint(queue: string, now: number): string {
    if (this.time.at !== now) this.time = { at: now, digits: digits(now, TIME_DIGITS) };
    this.counter = (this.counter + 1) % 36 ** COUNTER_DIGITS;
    return `b${this.time.digits}${digits(this.counter, COUNTER_DIGITS)}${this.random()}.${queue}`;
  }

  private random(): string {
    if (this.used === this.drawn.length) {
      this.drawn = randomBytes(RANDOM_BYTES * DRAWN_AT_ONCE);
      this.used = 0;
    }
    this.used += RANDOM_BYTES;
    return this.drawn.toString('base64url', this.used - RANDOM_BYTES, this.used);
  }
}

function digits(number: number, length: number): string {
  return number.toString(36).padStart(length, '0');
}

/** The queue of an id that was minted, or `null` for one that somebody chose. */
export function queueOf(taskId: string): string | null {
  return MINTED.exec(taskId)?.[1] ?? null;
}

export function dataOf(job: NewJob): JobData {
  const args = payloadToJson(job.args) as unknown[];
  return job.overrides === undefined ? { args } : { args, overrides: payloadToJson(job.overrides) };
}

/** BullMQ drops results by age and number at the end of the next job; seconds are its unit of age. */
export function keptFor({ resultTtl, maxResults }: Retention): Kept {
  return { age: Math.ceil(Math.min(resultTtl, 1e12) / 1_000), count: maxResults };
}

export function optionsOf(job: NewJob, taskId: string, now: number, keep: Kept): BullJobOptions {
  return {
    jobId: taskId,
    priority: job.priority,
    delay: job.delay,
    timestamp: now,
    removeOnComplete: keep,
    removeOnFail: keep,
  };
}

/** The arguments of a job, fresh: one that another program has added gets its `data`, whatever that is. */
export function argsOf(data: unknown): unknown[] {
  const args = isOurs(data) ? data.args : [data];
  return payloadFromJson(copyOf(args)) as unknown[];
}

export function overridesOf(data: unknown): PolicyOverrides | undefined {
  const overrides = isOurs(data) ? data.overrides : undefined;
  if (overrides === undefined) return undefined;
  return checkOverrides(payloadFromJson(copyOf(overrides)));
}

export function errorsOf(data: unknown): readonly AttemptError[] {
  return isOurs(data) && Array.isArray(data.errors) ? (data.errors as unknown[]).filter(isAttemptError) : [];
}

/** The data of a job after another attempt has failed. */
export function withError(data: unknown, error: AttemptError): unknown {
  const { name, message, code, stack } = error;
  const safe = {
    ...error,
    name: storable(name),
    message: storable(message),
    code: code && storable(code),
    stack: stack && storable(stack),
  };
  const errors = [...errorsOf(data).slice(1 - MAX_ERRORS), safe];
  return isOurs(data) ? { ...data, errors } : { args: [data], errors };
}

/** PostgreSQL's JSON takes neither NUL nor half a surrogate pair. */
export function storable(text: string): string {
  return text.replaceAll(/[\0\p{Surrogate}]/gu, '\ufffd');
}

export function withReason(data: unknown, reason: string): unknown {
  const cancelled = storable(reason);
  return isOurs(data) ? { ...data, cancelled } : { args: [data], cancelled };
}

/** A job as users see it, of what BullMQ says of it and of the list in which it stands. */
export function stateOf(job: BullJob, list: string): JobState {
  const reason = isOurs(job.data) ? (job.data.cancelled ?? null) : null;
  const status = statusOf(job, list, reason);
  const ended = status === 'success' || status === 'failed' || status === 'cancelled';
  return {
    taskId: job.id as string,
    taskName: job.name,
    status,
    result: status === 'success' ? payloadFromJson(copyOf(job.returnvalue)) : null,
    errors: status === 'failed' ? failures(job) : errorsOf(job.data),
    reason: status === 'cancelled' ? reason : null,
    submittedAt: job.timestamp,
    startedAt: job.processedOn ?? null,
    finishedAt: ended ? (job.finishedOn ?? null) : null,
    // BullMQ counts the last attempt as well, once it has ended.
    retries: ended ? Math.max(0, job.attemptsMade - 1) : job.attemptsMade,
  };
}

function statusOf(job: BullJob, list: string, reason: string | null): TaskStatus {
  switch (list) {
    case 'completed':
      return 'success';
    case 'failed':
      return reason === null ? 'failed' : 'cancelled';
    case 'active':
      return 'running';
    default:
      return job.attemptsMade > 0 ? 'retrying' : 'pending';
  }
}

/** A worker that is not ours lets BullMQ fail a job whose workers die again and again; only BullMQ's words say so. */
function failures(job: BullJob): readonly AttemptError[] {
  const errors = errorsOf(job.data);
  const message = job.failedReason ?? '';
  if (errors.at(-1)?.message === message) return errors;
  const lost = message.includes('stalled more than');
  const unsaid: AttemptError = {
    attempt: errors.length + 1,
    name: lost ? 'TaskLostError' : 'Error',
    message: lost ? 'Its worker died while it ran, again and again, so it is not run any more.' : message,
    code: lost ? 'FLOWRRA_TASK_LOST' : null,
    stack: null,
    at: job.finishedOn ?? 0,
  };
  return [...errors.slice(1 - MAX_ERRORS), unsaid];
}

function isOurs(data: unknown): data is JobData {
  return typeof data === 'object' && data !== null && Array.isArray((data as Partial<JobData>).args);
}

/** Of what has come as JSON: several times as fast as a structured clone. */
function copyOf(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** Another program may write anything there. */
function isAttemptError(error: unknown): error is AttemptError {
  const { attempt, name, message, at } = (error ?? {}) as Partial<Record<keyof AttemptError, unknown>>;
  return (
    Number.isInteger(attempt) &&
    typeof name === 'string' &&
    typeof message === 'string' &&
    Number.isFinite(at)
  );
}

/** @throws {PayloadError} if they are not what a submission could have left there. */
function checkOverrides(overrides: unknown): PolicyOverrides {
  try {
    checkObject(overrides, 'overrides', 'They must be an object.');
    const resolved = resolveOverrides(overrides);
    if (resolved !== undefined) return resolved;
  } catch (cause) {
    throw new PayloadError('overrides', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return {};
}
