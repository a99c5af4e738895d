import { payloadFromJson, payloadToJson } from '../../job/payload/payload-text.js';
import { areErrors, errorsFrom, metadataFrom } from '../../job/stored-fields.js';
import { errorsAfter } from '../../job/outcome.js';
import type { PolicyOverrides } from '../../job/policy.js';
import { overridesFrom } from '../../job/overrides.js';
import type { AttemptError, Dedupe, Metadata, NewJob } from '../../job/job.js';
import type { Retention } from '../../job/queue.js';

/** What a BullMQ job of ours holds as its `data`: plain JSON, for whoever looks at the queue with other tools. */
export interface JobData {
  readonly args: unknown[];
  readonly overrides?: unknown;
  /** What failed attempts threw. */
  readonly errors?: readonly AttemptError[];
  readonly metadata?: unknown;
}

/** As much of a BullMQ job as is read. */
export interface BullJob {
  readonly id?: string;
  readonly name: string;
  readonly data: unknown;
  readonly attemptsMade: number;
  readonly timestamp: number;
  readonly priority?: number | undefined;
  /** 0 for none. */
  readonly progress?: unknown;
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
  /** Absent for 0, and so is `delay`: what is left out costs nothing to send and to keep. */
  readonly priority?: number;
  readonly delay?: number;
  readonly timestamp: number;
  readonly removeOnComplete: Kept;
  readonly removeOnFail: Kept;
  readonly deduplication?: { readonly id: string; readonly ttl?: number };
  /** Tells this submission from others of the same chosen id. */
  readonly submission?: string;
}

/** What a job has failed of, as BullMQ says it, if it was cancelled: so it begins, and the reason follows. */
export const CANCELLED = 'Cancelled: ';

export function dataOf(job: NewJob): JobData {
  const { overrides, metadata } = job;
  const args = payloadToJson(job.args) as unknown[];
  if (overrides === undefined && metadata === undefined) return { args };
  return {
    args,
    ...(overrides === undefined ? {} : { overrides: payloadToJson(overrides) }),
    ...(metadata === undefined ? {} : { metadata: payloadToJson(metadata) }),
  };
}

/** BullMQ drops results by age and number at the end of the next job; seconds are its unit of age. */
export function keptFor({ resultTtl, maxResults }: Retention): Kept {
  return { age: Math.ceil(Math.min(resultTtl, 1e12) / 1_000), count: maxResults };
}

export function optionsOf(job: NewJob, taskId: string, now: number, keep: Kept): BullJobOptions {
  const { priority, delay, dedupe } = job;
  const options = { jobId: taskId, timestamp: now, removeOnComplete: keep, removeOnFail: keep };
  if (priority === 0 && delay === 0 && dedupe === undefined) return options;
  return {
    ...options,
    ...(priority !== 0 && { priority }),
    ...(delay !== 0 && { delay }),
    ...(dedupe !== undefined && { deduplication: deduplicationOf(dedupe) }),
  };
}

/** Without a time to live, BullMQ forgets the key when the job has ended. */
function deduplicationOf({ key, mode, ttl }: Dedupe): { id: string; ttl?: number } {
  return mode === 'throttle' ? { id: key, ttl } : { id: key };
}

/** The arguments of a job, fresh: one that another program has added gets its `data`, whatever that is. */
export function argsOf(data: unknown): unknown[] {
  const args = isOurs(data) ? data.args : [data];
  return payloadFromJson(copyOf(args)) as unknown[];
}

export function overridesOf(data: unknown): PolicyOverrides | undefined {
  const overrides = isOurs(data) ? data.overrides : undefined;
  if (overrides === undefined) return undefined;
  return overridesFrom(payloadFromJson(copyOf(overrides)));
}

/** @throws {PayloadError} if they are none that a submission could have left there. */
export function metadataOf(data: unknown): Metadata | undefined {
  const metadata = isOurs(data) ? data.metadata : undefined;
  return metadata === undefined ? undefined : metadataFrom(payloadFromJson(copyOf(metadata)));
}

export function errorsOf(data: unknown): readonly AttemptError[] {
  return isOurs(data) ? errorsFrom(data.errors) : [];
}

/** Whether those are all that it holds. */
export function hasOddErrors(data: unknown): boolean {
  return isOurs(data) && data.errors !== undefined && !areErrors(data.errors);
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
  const errors = errorsAfter(errorsOf(data), safe);
  return isOurs(data) ? { ...data, errors } : { args: [data], errors };
}

/** What BullMQ is told that a job has failed of. A task's words must not look as if the job had been cancelled. */
export function failureText(message: string): string {
  return storable(message.startsWith(CANCELLED) ? `Error: ${message}` : message);
}

export function cancelText(reason: string): string {
  return `${CANCELLED}${storable(reason)}`;
}

/** Why a job was cancelled, by the text of its failure; `null` if it was not. */
export function reasonIn(text: string | null | undefined): string | null {
  return text?.startsWith(CANCELLED) ? text.slice(CANCELLED.length) : null;
}

/** PostgreSQL's JSON takes neither NUL nor half a surrogate pair. */
export function storable(text: string): string {
  return text.replaceAll(/[\0\p{Surrogate}]/gu, '\ufffd');
}

function isOurs(data: unknown): data is JobData {
  return typeof data === 'object' && data !== null && Array.isArray((data as Partial<JobData>).args);
}

/** Of what has come as JSON: several times as fast as a structured clone. */
export function copyOf(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
