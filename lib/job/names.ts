import { FlowrraConfigError } from './errors.js';
import { showValue } from './show-value.js';
import { wrong } from './check.js';

export const LONGEST_TASK_NAME = 200;
const LONGEST_TASK_ID = 255;

/** No `:`, which engines put between the parts of their keys. */
const QUEUE_NAME = /^[\w.-]{1,100}$/;

/** What BullMQ takes for a number of its own. */
const NUMBER = /^(-?\d+|NaN)$/;

/**
 * What the queues of BullMQ keep on Redis beside their jobs, under names where a job of that id would lie.
 *
 * @see https://github.com/taskforcesh/bullmq/blob/master/src/classes/queue-keys.ts
 */
const TAKEN = new Set(
  'active,completed,de,delayed,events,failed,id,limiter,marker,meta,metrics,paused,pc,prioritized,priority,repeat,stalled,stalled-check,wait,waiting,waiting-children'.split(
    ',',
  ),
);

/** Control characters, and halves of surrogate pairs, which are no Unicode that every store could keep. */
export const UNFIT = /[\p{Cc}\p{Cs}]/u;

/** @throws {FlowrraConfigError} unless it can name a queue on every engine. */
export function checkQueueName(name: unknown, path: string): string {
  if (typeof name === 'string' && QUEUE_NAME.test(name)) return name;
  throw wrong(path, name, 'A queue is named by 1 to 100 letters (a to z), digits, _ . and -.');
}

/** Whether it can name a task on every engine. */
export function isTaskName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= LONGEST_TASK_NAME && !UNFIT.test(name);
}

/** @throws {FlowrraConfigError} unless it can name a task on every engine. */
export function checkTaskName(name: unknown, path: string): string {
  if (isTaskName(name)) return name;
  throw wrong(
    path,
    name,
    `A task is named by 1 to ${LONGEST_TASK_NAME} characters, none a control character.`,
  );
}

/** Jobs of another program's BullMQ scheduler have such ids. */
const SCHEDULED = /^repeat:.+:\d+$/;

/**
 * An id by which a job is looked up. `null` if no job on any engine can have it, so that no engine is
 * asked: it would mean another key on Redis, or a request of any size. What {@link checkTaskId}
 * refuses is among it, except for the ids that BullMQ gives to other programs' jobs.
 *
 * @throws {FlowrraConfigError} unless it is a string.
 */
export function lookedUpId(taskId: unknown): string | null {
  if (typeof taskId === 'string')
    return isFlat(taskId) && !TAKEN.has(taskId) && (!taskId.includes(':') || SCHEDULED.test(taskId))
      ? taskId
      : null;
  throw new FlowrraConfigError(
    `taskId: ${showValue(taskId)} is no task id. Give what submit() has resolved with; was an await forgotten?`,
  );
}

/** @throws {FlowrraConfigError} unless it can be a job's id on every engine. */
export function checkTaskId(id: unknown, path: string): string {
  if (typeof id === 'string' && isFlat(id) && !id.includes(':') && !NUMBER.test(id) && !TAKEN.has(id))
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
