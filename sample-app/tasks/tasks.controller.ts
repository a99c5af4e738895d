// sample-app/tasks/tasks.controller.ts
import { Controller, Get, NotFoundException, Param } from '@nestjs/common';
import { FlowrraService, type TaskResult } from 'flowrra';

@Controller('tasks')
export class TasksController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Get(':taskId')
  async status(@Param('taskId') taskId: string): Promise<TaskResult> {
    const result = await this.flowrra.getResult(taskId);
    if (result === null) throw new NotFoundException(`No task ${taskId}, or its result is no longer kept`);
    return result;
  }
}
