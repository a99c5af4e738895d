import { suggest, wrong } from '../../job/check.js';
import { checkQueueName, checkTaskName } from '../../job/names.js';
import { DEFAULT_QUEUE, type ResolvedQueue } from '../../job/queue.js';
import { byName, OptionTable, type RulesOf } from '../../job/rules.js';

/** A task that another application runs. This application only submits it. */
export interface RemoteTaskOptions {
  /**
   * The queue of the task's workers, which this application must declare as well.
   *
   * @defaultValue `'default'`
   */
  queue?: string;
}

const REMOTE_TASK_RULES = new OptionTable({
  queue: (value = DEFAULT_QUEUE, path) => checkQueueName(value, path),
} satisfies RulesOf<RemoteTaskOptions>);

export const remoteTasksRule = byName(
  checkTaskName,
  (value, path) => REMOTE_TASK_RULES.resolve(value, path),
  "It must be an object of tasks by name: { 'EmailTasks.sendWelcome': { queue: 'mail' } }.",
);

/** @throws {FlowrraConfigError} if a task is in a queue that the application does not have. */
export function checkRemoteQueues(
  remoteTasks: ReadonlyMap<string, Pick<Required<RemoteTaskOptions>, 'queue'>>,
  queues: readonly ResolvedQueue[],
): void {
  const known = queues.map(({ name }) => name);
  for (const [task, { queue }] of remoteTasks)
    if (!known.includes(queue))
      throw wrong(
        `remoteTasks['${task}'].queue`,
        queue,
        `Declare it in forRoot({ queues }) or forFeature({ queues }). ${suggest(queue, known)}`,
      );
}
