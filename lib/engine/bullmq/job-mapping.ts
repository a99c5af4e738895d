import { payloadFromJson, payloadToJson } from '../../job/payload/payload-text.js';
import type { AttemptError, Dedupe, LogLine, Metadata, NewJob } from '../../job/job.js';
import { overridesFrom } from '../../job/overrides.js';
import type { PolicyOverrides } from '../../job/policy.js';
import type { Retention } from '../../job/queue.js';
import { areErrors, errorsFrom, metadataFrom, tagsFrom } from '../../job/stored-fields.js';

/** The `data` of Flowrra's jobs in BullMQ: plain JSON, which other tools can show. */
export interface JobData {
  readonly args: unknown[];
  readonly overrides?: unknown;
  /** The errors of failed attempts. */
  readonly errors?: readonly AttemptError[];
  readonly metadata?: unknown;
  readonly tags?: readonly string[];
}

/** The part of a BullMQ job that Flowrra reads. */
export interface BullJob {
  readonly id?: string;
  readonly name: string;
  readonly data: unknown;
  readonly attemptsMade: number;
  readonly attemptsStarted?: number;
  readonly timestamp: number;
  readonly priority?: number | undefined;
  /** 0 for none. */
  readonly progress?: unknown;
  readonly processedOn?: number | undefined;
  readonly finishedOn?: number | undefined;
  readonly failedReason?: string | undefined;
  readonly returnvalue: unknown;
}

/** How long BullMQ keeps results, in seconds, and how many of a queue. */
export interface KeepRule {
  readonly age: number;
  readonly count: number;
}

/** The options of `queue.add` that Flowrra sets. A property at its default is left out, which saves bytes. */
export interface BullJobOptions {
  readonly jobId: string;
  readonly priority?: number;
  readonly delay?: number;
  readonly timestamp: number;
  readonly removeOnComplete: KeepRule;
  readonly removeOnFail: KeepRule;
  readonly deduplication?: { readonly id: string; readonly ttl?: number };
  /** Distinguishes submissions with the same id, if the submitter has chosen the id. */
  readonly submission?: string;
}

/** A job on its way into a queue. */
export interface QueuedJob {
  readonly queue: string;
  readonly name: string;
  readonly data: unknown;
  readonly options: BullJobOptions;
  /** The tags in `data`; `undefined` for none. */
  readonly tags?: readonly string[] | undefined;
}

/** The failure text of a cancelled job begins with this; the reason follows. */
export const CANCELLED = 'Cancelled: ';

/** BullMQ's progress of a job that has reported none. */
const NO_PROGRESS = 0;

/** The time, the attempt and the text of a log row. */
const LOG_ROW = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) #(\d+) ([^]*)$/;

export function dataOf(job: NewJob): JobData {
  const { overrides, metadata, tags } = job;
  const args = payloadToJson(job.args) as unknown[];
  if (overrides === undefined && metadata === undefined && tags === undefined) return { args };
  return {
    args,
    ...(overrides === undefined ? {} : { overrides: payloadToJson(overrides) }),
    ...(metadata === undefined ? {} : { metadata: payloadToJson(metadata) }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** BullMQ deletes results by age and number whenever a job of the queue ends. */
export function keepRuleOf({ resultTtl, maxResults }: Retention): KeepRule {
  return { age: Math.ceil(Math.min(resultTtl, 1e12) / 1_000), count: maxResults };
}

export function optionsOf(job: NewJob, taskId: string, now: number, keep: KeepRule): BullJobOptions {
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

/** Without a time to live, BullMQ frees the key when the job has ended. */
function deduplicationOf({ key, mode, ttl }: Dedupe): { id: string; ttl?: number } {
  return mode === 'throttle' ? { id: key, ttl } : { id: key };
}

/** A fresh copy of a job's arguments. A job that another program has added has one argument: its `data`. */
export function argsOf(data: unknown): unknown[] {
  const args = isFlowrraData(data) ? data.args : [data];
  return payloadFromJson(jsonCopy(args)) as unknown[];
}

export function overridesOf(data: unknown): PolicyOverrides | undefined {
  const overrides = isFlowrraData(data) ? data.overrides : undefined;
  if (overrides === undefined) return undefined;
  return overridesFrom(payloadFromJson(jsonCopy(overrides)));
}

/** @throws {PayloadError} if the metadata is none that a submission can write. */
export function metadataOf(data: unknown): Metadata | undefined {
  const metadata = isFlowrraData(data) ? data.metadata : undefined;
  return metadata === undefined ? undefined : metadataFrom(payloadFromJson(jsonCopy(metadata)));
}

/** @throws {PayloadError} if they are no tags that a submission can write. */
export function tagsOf(data: unknown): readonly string[] | undefined {
  const tags: unknown = isFlowrraData(data) ? data.tags : undefined;
  return tags === undefined ? undefined : tagsFrom(tags);
}

/** The readable errors of a job's data. */
export function errorsOf(data: unknown): readonly AttemptError[] {
  return isFlowrraData(data) ? errorsFrom(data.errors) : [];
}

/** Whether {@link errorsOf} leaves something out. */
export function hasUnreadableErrors(data: unknown): boolean {
  return isFlowrraData(data) && data.errors !== undefined && !areErrors(data.errors);
}

/** The data of a job with these errors. */
export function withErrors(data: unknown, errors: readonly AttemptError[]): unknown {
  const storable = errors.map((error) => ({
    ...error,
    name: storableText(error.name),
    message: storableText(error.message),
    code: error.code && storableText(error.code),
    stack: error.stack && storableText(error.stack),
  }));
  return isFlowrraData(data) ? { ...data, errors: storable } : { args: [data], errors: storable };
}

/** The failure text of a job that has failed. A task's message must not look like a cancellation. */
export function failureText(message: string): string {
  return storableText(message.startsWith(CANCELLED) ? `Error: ${message}` : message);
}

export function cancelText(reason: string): string {
  return `${CANCELLED}${storableText(reason)}`;
}

/** The reason of a cancellation, from a failure text; `null` if the job was not cancelled. */
export function cancelReasonIn(text: string | null | undefined): string | null {
  return text?.startsWith(CANCELLED) ? text.slice(CANCELLED.length) : null;
}

/** PostgreSQL's JSON accepts neither NUL nor half of a surrogate pair. */
export function storableText(text: string): string {
  return text.replaceAll(/[\0\p{Surrogate}]/gu, '\ufffd');
}

/** BullMQ's progress of a job, as JSON. Most tools show a number as a bar. */
export function progressText(progress: unknown): string {
  const json = payloadToJson(progress);
  return JSON.stringify(json === NO_PROGRESS || isWrapped(json) ? { progress: json } : json);
}

/** @throws {PayloadError} if another program has reported progress that Flowrra cannot read. */
export function progressOf(json: unknown): unknown {
  if (json === NO_PROGRESS || json === undefined) return null;
  return payloadFromJson(jsonCopy(isWrapped(json) ? json.progress : json)) ?? null;
}

/** A line as a row of BullMQ's log, which other tools can show. */
export function logRowOf({ at, attempt, line }: LogLine): string {
  return `${new Date(at).toISOString()} #${attempt} ${storableText(line)}`;
}

/** @param submittedAt The time of a row that another program has written. */
export function logLineOf(row: string, submittedAt: number): LogLine {
  const [, at, attempt, line] = LOG_ROW.exec(row) ?? [];
  return at === undefined || line === undefined || Number.isNaN(Date.parse(at))
    ? { at: submittedAt, attempt: 1, line: row }
    : { at: Date.parse(at), attempt: Number(attempt), line };
}

/** A copy of a value that was read from JSON: several times as fast as `structuredClone`. */
export function jsonCopy(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function isWrapped(json: unknown): json is { progress: unknown } {
  return typeof json === 'object' && json !== null && Object.keys(json).join() === 'progress';
}

function isFlowrraData(data: unknown): data is JobData {
  return typeof data === 'object' && data !== null && Array.isArray((data as Partial<JobData>).args);
}
