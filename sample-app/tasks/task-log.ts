// sample-app/tasks/task-log.ts
import { Injectable, Logger } from '@nestjs/common';
import { FlowrraService } from 'flowrra';

/** Logs what goes wrong in the background. */
@Injectable()
export class TaskLog {
  private readonly logger = new Logger('Tasks');

  constructor(flowrra: FlowrraService) {
    flowrra.events$.subscribe((event) => {
      if (event.type === 'retrying') {
        this.logger.warn(`${event.taskName}: ${event.error.message}; again in ${event.delay} ms`);
      }
      if (event.type === 'failed')
        this.logger.error(`${event.taskName} failed for good: ${event.error.message}`);
    });
  }
}
