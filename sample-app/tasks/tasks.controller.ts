// sample-app/tasks/tasks.controller.ts
import { Controller, Get, Param } from '@nestjs/common';
import { FlowrraService, type TaskResult } from 'flowrra';

@Controller('tasks')
export class TasksController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Get(':taskId')
  async status(@Param('taskId') taskId: string): Promise<TaskResult> {
    const result = await this.flowrra.getResult(taskId);
    // Waiting rejects with the reason why there is none: 404 for an unknown id, 410 for a dropped result.
    return result ?? this.flowrra.waitForResult(taskId, { timeout: '1s' });
  }
}
