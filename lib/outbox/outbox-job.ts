import { randomBytes } from 'node:crypto';
import { PayloadError } from '../job/errors.js';
import type { Dedupe, JobRow, NewJob } from '../job/job.js';
import { overridesFrom } from '../job/overrides.js';
import { payloadFromText, payloadToText } from '../job/payload/payload-text.js';
import { isPlainObject } from '../job/payload/payload-kind.js';
import { argsFrom, metadataFrom, tagsFrom } from '../job/stored-fields.js';

/** An age below this one, in milliseconds, does not shorten the time in which a job is valid. */
const NOTICEABLE_AGE_MS = 1_000;

/** A job on its way in that has its id already. */
export type IdentifiedJob = NewJob & { readonly taskId: string };

/** The job, with an id if it has none: 96 random bits behind the time, so that new ids are neighbours in an index. */
export function withId(job: NewJob): IdentifiedJob {
  return {
    ...job,
    taskId: job.taskId ?? `j${Date.now().toString(36)}${randomBytes(12).toString('base64url')}`,
  };
}

/** Writes a job as a text, for a row. */
export function jobToText({ taskId: _taskId, ...job }: NewJob): string {
  return payloadToText(Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined)));
}

/**
 * Reads the job of a row. Its times are those that are left, since they count from the submission.
 *
 * @param age Milliseconds since the submission.
 * @param now Milliseconds since the epoch.
 * @throws {PayloadError} if this version of Flowrra cannot read it.
 */
export function jobFromText(taskId: string, text: string, age: number, now: number): IdentifiedJob {
  const stored = payloadFromText(text);
  if (!isPlainObject(stored)) throw unreadable('it is no object');
  const { taskName, queue, priority, delay } = stored;
  if (typeof taskName !== 'string' || typeof queue !== 'string')
    throw unreadable('it names no task or no queue');
  if (typeof priority !== 'number' || typeof delay !== 'number')
    throw unreadable('it has no priority or no delay');
  const { overrides, metadata, tags, bypassMaxPending } = stored;
  const dedupe = dedupeFrom(stored.dedupe, age);
  const validFrom = age < NOTICEABLE_AGE_MS ? undefined : { validFrom: Math.max(0, Math.round(now - age)) };
  const own = overrides === undefined ? undefined : overridesFrom(overrides);
  return {
    taskId,
    taskName,
    queue,
    priority,
    delay: dedupe?.mode === 'debounce' ? dedupe.ttl : left(delay, age, 0),
    args: argsFrom(stored.args),
    overrides: own === undefined && validFrom === undefined ? undefined : { ...validFrom, ...own },
    metadata: metadata === undefined ? undefined : metadataFrom(metadata),
    tags: tags === undefined ? undefined : tagsFrom(tags),
    dedupe,
    bypassMaxPending: bypassMaxPending === true,
  };
}

/** The job of a row as if the engine had it: it waits, or was cancelled. */
export function rowOf(
  job: IdentifiedJob,
  { createdAt, cancelReason }: { readonly createdAt: number; readonly cancelReason: string | null },
): JobRow {
  const { taskId, taskName, queue, priority, delay, args, metadata, tags } = job;
  const isCancelled = cancelReason !== null;
  return {
    taskId,
    taskName,
    status: isCancelled ? 'cancelled' : 'pending',
    queue,
    priority,
    submittedAt: createdAt,
    dueAt: delay > 0 && !isCancelled ? createdAt + delay : null,
    startedAt: null,
    finishedAt: isCancelled ? createdAt : null,
    retries: 0,
    result: null,
    errors: [],
    reason: cancelReason,
    progress: null,
    metadata,
    tags,
    args,
    logs: [],
  };
}

/** A key is held for a time from the submission. Once that is over, it is held as briefly as possible. */
function dedupeFrom(stored: unknown, age: number): Dedupe | undefined {
  if (stored === undefined) return undefined;
  const { key, mode, ttl } = isPlainObject(stored) ? stored : {};
  const isMode = mode === 'ignore' || mode === 'throttle' || mode === 'debounce';
  if (typeof key !== 'string' || !isMode || typeof ttl !== 'number')
    throw unreadable('its dedupe key is invalid');
  return { key, mode, ttl: mode === 'ignore' ? 0 : left(ttl, age, 1) };
}

function left(ms: number, age: number, least: number): number {
  return ms === 0 ? 0 : Math.max(least, Math.round(ms - age));
}

function unreadable(problem: string): PayloadError {
  return new PayloadError('job', `Flowrra cannot read this row of the outbox: ${problem}`);
}
