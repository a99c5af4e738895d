import { Logger } from '@nestjs/common';
import { PayloadError } from '../job/errors.js';
import type { Attempt } from '../job/job.js';
import { isTaskName, LONGEST_TASK_NAME } from '../job/names.js';
import type { Outcome } from '../job/outcome.js';
import { showValue, shownText } from '../job/show-value.js';
import { unreadableOutcome } from './outcome.js';

/** After this delay a worker that knows the task may claim the job. */
const DEFER_MS = 5_000;
/** Another program can submit any number of unknown names: only the first ones are logged. */
const MAX_LOGGED_NAMES = 100;

/** Defers jobs of tasks that this process does not know, and logs each name once. */
export class UnknownTasks {
  private readonly logger = new Logger('Flowrra');
  private readonly logged = new Set<string>();

  outcomeOf(attempt: Attempt, now: number): Outcome {
    const { taskName } = attempt;
    // Only another program submits such a name, and no worker can ever know it.
    if (!isTaskName(taskName)) {
      const problem = `${showValue(taskName)} is not a task name: 1 to ${LONGEST_TASK_NAME} characters, no control character`;
      return unreadableOutcome(new PayloadError('taskName', problem), attempt, now);
    }
    this.log(taskName);
    return { kind: 'released', delay: DEFER_MS };
  }

  private log(taskName: string): void {
    const { size } = this.logged;
    if (size > MAX_LOGGED_NAMES || this.logged.has(taskName)) return;
    this.logged.add(taskName);
    this.logger.warn(
      size === MAX_LOGGED_NAMES
        ? `Jobs of more than ${MAX_LOGGED_NAMES} unknown tasks wait for a worker that knows them. Further names are not logged.`
        : `A job of '${shownText(taskName)}' waits for a worker that knows this task; this process does not. Is a deployment in progress, or was the task renamed?`,
    );
  }
}
