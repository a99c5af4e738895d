// sample-app/tasks/task-log.ts
import { Injectable, Logger } from '@nestjs/common';
import { OnTask, type TaskEvent } from 'flowrra';

/** Logs what goes wrong in the background. */
@Injectable()
export class TaskLog {
  private readonly logger = new Logger('Tasks');

  @OnTask('retrying')
  retrying({ taskName, error, delay }: TaskEvent<'retrying'>): void {
    this.logger.warn(`${taskName}: ${error.message}; again in ${delay} ms`);
  }

  @OnTask('failed', { queue: ['default', 'datasets', 'newsletters'] })
  failed({ taskName, error }: TaskEvent<'failed'>): void {
    this.logger.error(`${taskName} failed for good: ${error.message}`);
  }
}
