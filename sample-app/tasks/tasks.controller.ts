// sample-app/tasks/tasks.controller.ts
import {
  ConflictException,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common';
import { FlowrraService, type JobDetails, type TaskResult } from 'flowrra';

@Controller('tasks')
export class TasksController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Get(':taskId')
  async status(@Param('taskId') taskId: string): Promise<TaskResult> {
    const result = await this.flowrra.getResult(taskId);
    // Waiting rejects with the reason why there is none: 404 for an unknown id, 410 for a dropped result.
    return result ?? this.flowrra.waitForResult(taskId, { timeout: '1s' });
  }

  /** With its arguments and its log. */
  @Get(':taskId/details')
  async details(@Param('taskId') taskId: string): Promise<JobDetails> {
    const details = await this.flowrra.jobs.get(taskId);
    if (details === null) throw new NotFoundException('No such task is known, or not any more.');
    return details;
  }

  @Delete(':taskId')
  @HttpCode(202)
  async cancel(@Param('taskId') taskId: string): Promise<{ cancelling: string }> {
    const cancelling = await this.flowrra.cancel(taskId, { reason: 'Cancelled by its user' });
    if (!cancelling) throw new ConflictException('It has ended already.');
    return { cancelling: taskId };
  }

  @Post(':taskId/retry')
  @HttpCode(202)
  async retry(@Param('taskId') taskId: string): Promise<{ retrying: string }> {
    if (!(await this.flowrra.jobs.retry(taskId))) throw new ConflictException('It has not failed.');
    return { retrying: taskId };
  }
}
