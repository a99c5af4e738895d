// sample-app/tasks/updates.controller.ts
import { Controller, type MessageEvent, NotFoundException, Param, Sse } from '@nestjs/common';
import { FlowrraService, toMessageEvents } from 'flowrra';
import type { Observable } from 'rxjs';

@Controller('tasks')
export class UpdatesController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Sse(':taskId/updates')
  async updates(@Param('taskId') taskId: string): Promise<Observable<MessageEvent>> {
    if ((await this.flowrra.getResult(taskId)) === null) throw new NotFoundException();
    return this.flowrra.watch(taskId).pipe(toMessageEvents);
  }
}
