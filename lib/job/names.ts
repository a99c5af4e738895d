import { FlowrraConfigError } from './errors.js';
import { showValue } from './show-value.js';
import { wrong } from './check.js';

export const LONGEST_TASK_NAME = 200;
const LONGEST_TASK_ID = 255;
const LONGEST_SCHEDULE_NAME = 255;

/** Without `:`, which engines use between the parts of their keys. */
const QUEUE_NAME = /^[\w.-]{1,100}$/;

/** Ids that BullMQ would treat as its own numbers. */
const NUMBER = /^(-?\d+|NaN)$/;

/**
 * Names of other data of a BullMQ queue on Redis. A job with such an id would have the same key.
 *
 * @see https://github.com/taskforcesh/bullmq/blob/master/src/classes/queue-keys.ts
 */
const RESERVED = new Set(
  'active,completed,de,delayed,events,failed,id,limiter,marker,meta,metrics,paused,pc,prioritized,priority,repeat,stalled,stalled-check,wait,waiting,waiting-children'.split(
    ',',
  ),
);

/** Control characters, and lone surrogates, which some stores cannot keep. */
export const UNFIT = /[\p{Cc}\p{Cs}]/u;

/** @throws {FlowrraConfigError} unless every engine accepts it as the name of a queue. */
export function checkQueueName(name: unknown, path: string): string {
  if (typeof name === 'string' && QUEUE_NAME.test(name)) return name;
  throw wrong(path, name, 'A queue is named by 1 to 100 letters (a to z), digits, _ . and -.');
}

/** Whether every engine accepts it as the name of a task. */
export function isTaskName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= LONGEST_TASK_NAME && !UNFIT.test(name);
}

/** @throws {FlowrraConfigError} unless every engine accepts it as the name of a task. */
export function checkTaskName(name: unknown, path: string): string {
  if (isTaskName(name)) return name;
  throw wrong(
    path,
    name,
    `A task is named by 1 to ${LONGEST_TASK_NAME} characters, none a control character.`,
  );
}

/** @throws {FlowrraConfigError} unless every engine accepts it as the name of a schedule. */
export function checkScheduleName(name: unknown, path: string): string {
  if (typeof name === 'string' && name !== '' && name.length <= LONGEST_SCHEDULE_NAME && !UNFIT.test(name))
    return name;
  throw wrong(
    path,
    name,
    `A schedule is named by 1 to ${LONGEST_SCHEDULE_NAME} characters, none a control character.`,
  );
}

/** Ids of jobs that the BullMQ scheduler of another program has added. */
const SCHEDULED = /^repeat:.+:\d+$/;

/**
 * The id for a look-up; `null` if no job can have it, so that no engine is asked: the id could be another key on
 * Redis, or a request of any size. Ids that {@link checkTaskId} rejects give `null`, except for ids of a BullMQ
 * scheduler.
 *
 * @throws {FlowrraConfigError} unless it is a string.
 */
export function lookedUpId(taskId: unknown): string | null {
  if (typeof taskId === 'string')
    return isFlat(taskId) && !RESERVED.has(taskId) && (!taskId.includes(':') || SCHEDULED.test(taskId))
      ? taskId
      : null;
  throw new FlowrraConfigError(
    `taskId: ${showValue(taskId)} is no task id. Give what submit() has resolved with; was an await forgotten?`,
  );
}

/** @throws {FlowrraConfigError} unless every engine accepts it as the id of a job. */
export function checkTaskId(id: unknown, path: string): string {
  if (typeof id === 'string' && isFlat(id) && !id.includes(':') && !NUMBER.test(id) && !RESERVED.has(id))
    return id;
  throw wrong(
    path,
    id,
    `An id is 1 to ${LONGEST_TASK_ID} characters, without ':' and control characters, no whole number, and no name of a part of a queue, such as wait.`,
  );
}

function isFlat(id: string): boolean {
  return id !== '' && id.length <= LONGEST_TASK_ID && !UNFIT.test(id);
}
